"""PGD of torchattacks: called for each budget."""

import torchattacks


def pgd(classifier, images, labels, norm, eps, steps=20):
    """Return the images after `steps` steps of a quarter of eps."""
    if norm == "Linf":
        return torchattacks.PGD(classifier, eps=eps, alpha=eps / 4, steps=steps)(images, labels)
    return torchattacks.PGDL2(classifier, eps=eps, alpha=eps / 4, steps=steps)(images, labels)
