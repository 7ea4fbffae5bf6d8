"""Families by name."""

import pytest

from aggregate.statistics import architecture


@pytest.mark.parametrize(
    ("source", "name", "family"),
    [
        ("timm:resnet50.a1_in1k", "x", "resnet"),
        ("timm:wide_resnet50_2", "x", "resnet"),
        ("timm:tf_efficientnet_b0.ns_jft_in1k", "x", "efficientnet"),
        ("timm:convnext_large_mlp.clip_laion2b_augreg_ft_in1k_384", "x", "convnext"),
        ("timm:vit_base_patch16_224", "x", "vit"),
        ("timm:mobilevit_s", "x", "mobilevit"),
        ("timm:resnext50_32x4d", "x", "resnet"),
        ("torchvision:densenet121", "x", "densenet"),
        ("hf-hub:timm/swin_tiny_patch4_window7_224.ms_in1k", "x", "swin"),
        ("python:mine", "AT_efficientnet-b2", "efficientnet"),
        ("", "CORnet-S", "cornet"),
        ("", "Swin-L", "swin"),
        ("", "WideResNet-50-2", "resnet"),
        ("", "grcnn_109", "grcnn"),
        ("", "42", "42"),
        ("", "", ""),
    ],
)
def test_a_models_family(source, name, family):
    assert architecture.family(source, name) == family
