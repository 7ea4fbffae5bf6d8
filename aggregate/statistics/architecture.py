"""Architecture families: models that share a design are near copies of each other, not independent witnesses.

A model's family is the first word below that its architecture's name holds, in this order, letters and digits
only, case aside; a name that holds none is a family of its own letters up to the first digit, underscore or
hyphen. The architecture's name is what stands in the source behind the colon and before timm's tag:
`timm:resnet50.a1_in1k` is a resnet50, of the family resnet.
"""

import re

WORDS = (
    "convnext", "swin", "efficientnet", "mobilenet", "mobilevit", "efficientvit", "efficientformer", "fastvit",
    "coatnet", "maxvit", "maxxvit", "xcit", "cait", "crossvit", "pvt", "twins", "beit", "deit", "eva", "levit",
    "poolformer", "caformer", "convformer", "mixer", "mlp", "regnet", "densenet", "inception", "xception",
    "squeezenet", "shufflenet", "mnasnet", "nasnet", "ghostnet", "cornet", "bagnet", "resmlp", "hrnet", "rexnet",
    "dpn", "dla", "nfnet", "vgg", "alexnet", "convit", "vit", "visiontransformer", "clip",
    "resnext", "resnest", "resnet", "resnetv2",
)  # fmt: skip
"""Where two could match, the more particular stands first: a mobilevit is no vit, a convnext no resnext."""
_SAME = {"resnext": "resnet", "visiontransformer": "vit"}
"""A ResNeXt is a ResNet with grouped convolutions; the other is torchvision's name."""


def family(source: str, name: str) -> str:
    """The family of a model by its source and, where the source names no architecture, by its own name."""
    architecture = source.rpartition(":")[2].rpartition("/")[2].partition(".")[0] or name
    for text in (architecture, name):
        plain = re.sub(r"[^a-z0-9]", "", text.lower())
        for word in WORDS:
            if word in plain:
                return _SAME.get(word, word)
    letters = re.match(r"[a-z]+", architecture.lower())
    return letters.group() if letters else architecture
