"""Facts about the networks of a study: families, networks under several names, and clean verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aggregate.statistics.architecture import find_family
from aggregate.statistics.arrays import Bits
from alignsec import digest
from alignsec.run.plan import Plan

MIN_IMAGES = 50
"""Images on which two models must agree to count as one network; on few images networks agree by chance."""


@dataclass(frozen=True)
class Networks:
    """Facts about the models of a study, by model name; a missing entry is unknown.

    Attributes:
        family: Architecture family.
        network: Identity of the network; equal for one network under two names.
        clean: Packed bits of the images that are correct without an attack, in pack order.
        published: Published clean accuracy in [0,1].
    """

    family: Mapping[str, str] = field(default_factory=dict)
    network: Mapping[str, str] = field(default_factory=dict)
    clean: Mapping[str, Bits] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)


def identify_networks(
    plan: Plan, clean: Mapping[str, Bits], robust: Mapping[tuple[str, str, str], Bits]
) -> Networks:
    """Find the family of each model, and the models that are one network under several names.

    Two models are one network if weights, code, options and preprocessing are equal, or if their verdicts agree
    on every image under every attack. The leaderboard lists torchvision's ResNet-50 under three names, for
    example.

    Args:
        plan: The plan of the run.
        clean: Packed bits of the clean-correct images, by model.
        robust: Packed bits of the robust images, by model, attack and eps.
    """
    models = {pair.model.name: pair.model for pair in plan}
    verdicts: dict[str, list[object]] = {name: [] for name in models}
    for (name, attack, eps), bits in sorted(robust.items(), key=lambda item: item[0]):
        if name in verdicts:
            verdicts[name].append([attack, eps, bits.tobytes().hex()])
    network: dict[str, str] = {}
    same_verdicts: dict[str, str] = {}
    for name, model in models.items():
        key = digest.sha256_of_json(model.model_dump(mode="json", exclude={"name", "published"}))
        if plan.image_count >= MIN_IMAGES and name in clean and verdicts[name]:
            behaviour = digest.sha256_of_json([clean[name].tobytes().hex(), verdicts[name]])
            key = same_verdicts.setdefault(behaviour, key)
        network[name] = key
    families = {name: find_family(model.source, name) for name, model in models.items()}
    published = {name: model.published.top1 for name, model in models.items() if model.published}
    return Networks(families, network, clean, published)
