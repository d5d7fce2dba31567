"""Every claim and hypothesis with its one primary analysis. Written down before any number.

The claims are the poster's, the hypotheses were set down beside the analyses. All are taken of the
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
        "C2",
        "Cropping is the most accurate; distortion and erasing do well too.",
        "Test accuracy of crop against every other training set, paired by seed; one-sided t-tests, "
        "all of which must hold.",
    ),
    Primary(
        "C3",
        "Augmented sets converge slower, distortion slowest.",
        "Epochs until 95 % of the own best validation accuracy, mean of the augmentations against "
        "none, paired by seed; t-test.",
    ),
    Primary(
        "C4",
        "There is no background bias.",
        "ROC-AUC of the heat as a detector of the foreground against .5 in every network; one-sided "
        "t-tests over seeds, all of which must hold.",
    ),
    Primary(
        "C5",
        "Heat is local and connected.",
        "Share of the hottest tenth of the pixels that lies in its largest connected part, against "
        "unrelated maps, in every network; one-sided t-tests over seeds, all of which must hold.",
    ),
    Primary(
        "C6",
        "Maps differ clearly between models.",
        "PERMANOVA of 1 - mean CC between networks, augmentation after seed; permutations within "
        "seeds.",
    ),
    Primary(
        "C7",
        "CC and KL do not correlate with validation or test accuracy.",
        "Correlation of CC and test accuracy within augmentations, adjusted for strength; whole "
        "accuracy curves permuted among augmentations. No correlation is shown only by equivalence "
        "within .5.",
    ),
    Primary(
        "C8",
        "Entropy shows no difference between models.",
        "Mean spatial entropy against none, paired by seed; t-tests, Holm-corrected. No difference is "
        "shown only by equivalence within .05 nats for all.",
    ),
    Primary(
        "H1",
        "Cropping is more accurate than no augmentation.",
        "Test accuracy of crop against none, paired by seed; t-test, Holm-corrected over the "
        "augmentations.",
    ),
    Primary(
        "H2",
        "Each augmentation moves maps further than another seed does (Delta above 0).",
        "Delta in CC between networks of different seeds; runs exchanged within seeds, "
        "Holm-corrected over the augmentations, all of which must hold.",
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
        "As C7 with similarity to the consensus in place of CC, one-sided.",
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
    "C2": accuracy.crop_is_best,
    "C3": accuracy.converges_slower,
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
