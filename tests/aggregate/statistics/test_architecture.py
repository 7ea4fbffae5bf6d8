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
        ("", "barlow-twins-resnet50", "resnet"),
        ("", "resnet50-VITO-8deg-cc", "resnet"),
        ("", "resnet50-vitoimagevidnet8", "resnet"),
        ("", "antialiased-r50", "resnet"),
        ("", "antialiased-rnext101_32x8d", "resnet"),
        ("", "Res2Net50_26w_4s", "resnet"),
        ("", "CLIP-RN50", "resnet"),
        ("", "BiT-S-R50x1", "resnet"),
        ("timm:twins_svt_base.in1k", "x", "twins"),
        ("", "effnetb1_272x240", "efficientnet"),
        ("", "effnetv2m_custom384", "efficientnet"),
        ("", " vonegrcnn_47e", "grcnn"),
        ("", "ReAlnet03_ALL", "cornet"),
        ("", "inception_resnet_v2", "inception"),
        ("", "SeLaVi-VGG-Sound", "selavi"),
        ("", "cv_18_dagger_408_pretrained", "crossvit"),
        ("", "vit_relpos_base_patch16_clsgap_224:sw_in1k", "vit"),
        ("timm:vit_tiny_r_s16_p8_384.augreg_in21k_ft_in1k", "x", "vit"),
        ("timm:mvitv2_small.fb_in1k", "x", "mvit"),
        ("timm:coatnet_0_rw_224.sw_in1k", "x", "coat"),
        ("timm:pnasnet5large.tf_in1k", "x", "nasnet"),
        ("timm:visformer_small.in1k", "x", "visformer"),
        ("", "42", "42"),
        ("", "", ""),
    ],
)
def test_a_models_family(source, name, family):
    assert architecture.find_family(source, name) == family
