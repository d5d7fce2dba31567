"""Every claim and hypothesis with its one primary analysis, fixed here and not chosen by results.

The claims are the poster's, those of two parts taken apart; the hypotheses were set down beside the
analyses. All are taken of the
first saliency method; the same analyses of a further method are not primary and are shown as such.
"""

from collections.abc import Callable, Mapping

from auglens.study.evidence import Evidence
from auglens.study.verdicts import accuracy, maps, strengths
from auglens.study.verdicts.verdict import Outcome, Primary, Verdict, cannot_tell

__all__ = ["PRIMARY", "further_verdicts", "verdicts"]

PRIMARY = (
    Primary(
        "C1",
        "Saliency maps indicate the strength of an augmentation; strength and parameters have a high "
        "impact on CC and KL.",
        "Spearman correlation of strength and 1 - CC with the baseline of the same seed, within each "
        "augmentation and seed, averaged over augmentations; exact sign flips over seeds.",
    ),
    Primary(
        "C2a",
        "Cropping is the most accurate.",
        "Test accuracy of crop against every other training set, paired by seed; one-sided t-tests, "
        "all of which must hold.",
    ),
    Primary(
        "C2b",
        "Distortion and erasing do well too.",
        "Test accuracy of distort and of erase against none, paired by seed; one-sided t-tests, both "
        "of which must hold.",
    ),
    Primary(
        "C3a",
        "Augmented sets converge slower.",
        "Epochs until 95 % of the own best validation accuracy, mean of the augmentations against "
        "none, paired by seed; t-test.",
    ),
    Primary(
        "C3b",
        "Distortion converges slowest.",
        "These epochs of distort against every other augmented set, paired by seed; one-sided "
        "t-tests, all of which must hold.",
    ),
    Primary(
        "C4",
        "There is no background bias (asked as: the heat prefers the foreground, more than before "
        "training).",
        "ROC-AUC of the heat as a detector of the foreground against that of the same network before "
        "training, paired by seed, for every training set; one-sided t-tests, all of which must hold.",
    ),
    Primary(
        "C5",
        "Heat is local and connected (asked as: more of the hottest pixels in one piece than before "
        "training).",
        "Share of the hottest tenth of the pixels that lies in its largest connected part, against "
        "that of the same network before training, paired by seed, for every training set; one-sided "
        "t-tests, all of which must hold.",
    ),
    Primary(
        "C6",
        "Maps differ clearly between models (asked as: the augmentation explains variation that the "
        "seed does not).",
        "PERMANOVA between runs, whose squared distance is 1 - mean CC, augmentation after seed; "
        "permutations within seeds.",
    ),
    Primary(
        "C7",
        "CC and KL do not correlate with validation or test accuracy.",
        "Correlation of CC and KL with validation and test accuracy within augmentations, adjusted "
        "for strength; whole accuracy curves permuted among augmentations, Holm-corrected over the "
        "four. No correlation is shown only by equivalence within .5 of all four.",
    ),
    Primary(
        "C8",
        "Entropy shows no difference between models (asked as: none from the baseline's).",
        "Mean spatial entropy against none, paired by seed; t-tests, Holm-corrected. A difference "
        "counts if it is significant and not equivalent to none within .05 nats; no difference is "
        "shown only by equivalence of all.",
    ),
    Primary(
        "H1",
        "Cropping is more accurate than no augmentation.",
        "Test accuracy of crop against none, paired by seed; t-test, Holm-corrected over the "
        "augmentations.",
    ),
    Primary(
        "H2",
        "Each augmentation changes maps in a way that all seeds share (Delta above 0).",
        "Delta in CC between runs of different seeds; runs exchanged within seeds, one-sided, all of "
        "which must hold.",
    ),
    Primary(
        "H3",
        "Delta grows with strength.",
        "Spearman correlation of strength and Delta, averaged over augmentations; strengths permuted "
        "within seeds, one-sided.",
    ),
    Primary(
        "H4",
        "CC and KL to the baseline are unrelated to accuracy within augmentations.",
        "The correlations of C7 for CC and KL and test accuracy; two one-sided tests over "
        "augmentations with bound .5, both of which must hold.",
    ),
    Primary(
        "H5",
        "Similarity to the consensus of the other augmentations goes with accuracy.",
        "As C7 with similarity to the consensus in place of CC, test accuracy, one-sided.",
    ),
    Primary(
        "H6",
        "Saliency foretells accuracy beyond affinity and diversity.",
        "Gain in leave-one-augmentation-out R2 of test accuracy when CC is added; whole curves of CC "
        "permuted among augmentations, one-sided.",
    ),
    Primary(
        "H8",
        "Networks are most equivariant to the augmentation they were trained with.",
        "Mean equivariance on the diagonal of training set by tested augmentation against the rest, "
        "paired by seed; t-test.",
    ),
)
"""In the order of the report. There is no H7."""

WITHOUT_MAPS: Mapping[str, Callable[[Evidence], Outcome]] = {
    "C2a": accuracy.crop_is_best,
    "C2b": accuracy.others_do_well,
    "C3a": accuracy.converges_slower,
    "C3b": accuracy.distort_is_slowest,
    "H1": accuracy.crop_is_better,
}
WITH_MAPS: Mapping[str, Callable[[Evidence, str], Outcome]] = {
    "C1": strengths.maps_tell_strength,
    "C4": maps.no_background_bias,
    "C5": maps.heat_is_connected,
    "C6": maps.maps_differ,
    "C7": strengths.similarity_is_unrelated,
    "C8": maps.entropy_is_alike,
    "H2": maps.maps_shift,
    "H3": strengths.shift_grows,
    "H4": strengths.similarity_is_equivalent,
    "H5": strengths.consensus_helps,
    "H6": strengths.saliency_adds,
    "H8": maps.equivariance_is_diagonal,
}


def verdicts(evidence: Evidence) -> list[Verdict]:
    """One verdict a claim and hypothesis, of the group's main saliency method."""
    return [Verdict(primary, _outcome(evidence, primary.name)) for primary in PRIMARY]


def further_verdicts(evidence: Evidence, method: str) -> list[Verdict]:
    """What the analyses that need maps give for another method: not primary."""
    return [
        Verdict(primary, WITH_MAPS[primary.name](evidence, method))
        for primary in PRIMARY
        if primary.name in WITH_MAPS
    ]


def _outcome(evidence: Evidence, name: str) -> Outcome:
    if name in WITHOUT_MAPS:
        return WITHOUT_MAPS[name](evidence)
    method = evidence.main_method
    if method is None:
        return cannot_tell("These runs have no saliency maps.")
    return WITH_MAPS[name](evidence, method)
