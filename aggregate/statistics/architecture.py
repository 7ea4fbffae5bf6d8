"""Architecture families: models of one design resemble each other and are not independent observations.

The family is found in the architecture's name, in lower case. In a source such as `timm:resnet50.a1_in1k` the
architecture is the part between the colon and the tag; otherwise it is the model's name. The first rule whose
pattern occurs in the name decides. If no rule fits, the letters at the start of the name are the family.
"""

import re

RULES: tuple[tuple[str, str], ...] = (
    # Names that contain the name of another family as a part, a training method or a data set.
    (r"selavi", "selavi"),
    (r"inception[-_]?resnet", "inception"),
    (r"mobilevit", "mobilevit"),
    (r"efficientvit", "efficientvit"),
    (r"efficientformer", "efficientformer"),
    (r"maxx?vit", "maxvit"),
    (r"crossvit|cv_18_dagger", "crossvit"),
    (r"convit", "convit"),
    (r"fastvit", "fastvit"),
    (r"levit", "levit"),
    (r"(?:^|[-_])mvit", "mvit"),
    (r"(?:^|[-_])pvt", "pvt"),
    (r"convnext", "convnext"),
    (r"convformer", "convformer"),
    (r"caformer", "caformer"),
    (r"poolformer", "poolformer"),
    (r"(?:^|[-_])coat", "coat"),
    (r"mnasnet", "mnasnet"),
    (r"p?nasnet", "nasnet"),
    # ReAlnet is CORnet-S, fine-tuned on EEG.
    (r"cornet|realnet", "cornet"),
    (r"grcnn", "grcnn"),
    (r"bagnet", "bagnet"),
    (r"resmlp", "resmlp"),
    # ResNets, also with grouped convolutions (ResNeXt) or other blocks (Res2Net, ResNeSt), and networks named
    # after their training: barlow-twins-resnet50, resnet50-VITO, CLIP-RN50, antialiased-r50, BiT-S-R50x1.
    (r"res(?:net|next|nest)|res2net|(?:^|[-_])rn(?:ext)?_?(?:50|101)|(?:^|[-_])rnext", "resnet"),
    (r"(?:^|[-_])r(?:18|34|50|101|152)(?:$|[-_x])|^bit[-_][sm]", "resnet"),
    (r"swin", "swin"),
    (r"effnet|efficientnet", "efficientnet"),
    (r"mobilenet", "mobilenet"),
    (r"xcit", "xcit"),
    (r"cait", "cait"),
    (r"(?:^|[-_])twins", "twins"),
    (r"(?:^|[-_])eva(?:\d|_|$)", "eva"),
    (r"beit", "beit"),
    (r"deit", "deit"),
    (r"(?:^|[-_])cvt", "cvt"),
    (r"mixer|(?:^|[-_])g?mlp", "mlp"),
    *(
        (name, name)
        for name in (
            "regnet", "densenet", "inception", "xception", "squeezenet", "shufflenet", "ghostnet", "hrnet",
            "rexnet", "nfnet", "vgg", "alexnet", "focalnet", "yolos",
        )
    ),
    (r"(?:^|[-_])dpn", "dpn"),
    (r"(?:^|[-_])dla", "dla"),
    (r"vit(?:[-_]|$)|vision_?transformer", "vit"),
    (r"clip", "clip"),
)  # fmt: skip
"""Patterns and families, the more specific first: mobilevit is not ViT, barlow-twins-resnet50 is not Twins."""


def find_family(source: str, name: str) -> str:
    """Return the architecture family of a model.

    Args:
        source: Source in a study, such as `timm:resnet50.a1_in1k` or `python:FILE:CALLABLE`.
        name: Name of the model in the scores table, used if the source names no known architecture.
    """
    architecture = source.rpartition(":")[2].rpartition("/")[2].partition(".")[0] or name
    for text in (architecture, name):
        for pattern, family in RULES:
            if re.search(pattern, text.strip().lower()):
                return family
    letters = re.match(r"[a-z]+", architecture.strip().lower())
    return letters.group() if letters else architecture
