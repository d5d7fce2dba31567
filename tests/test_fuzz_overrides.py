"""Any overrides at all: either every part of the run is built, or one line says what is wrong."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auglens.config_rules import FURTHER, SETTINGS
from tests.built_runs import NotComposedError, prepared
from tests.conftest import REPOSITORY

GROUPS = ("dataset", "augment", "model", "optimizer", "saliency", "trainer", "logger", "measures")
OPTIONS = [
    f"{path.parent.name}={path.stem}"
    for group in GROUPS
    for path in sorted((REPOSITORY / "conf" / group).glob("*.yaml"))
    # Official MNIST is not everywhere.
    if path.stem != "mnist"
]
PARTS = (
    *("augment.transform.strength", "augment.transform._target_", "augment.transform"),
    *("saliency.methods.gradient.reduce", "saliency.methods.gradient.batch_size"),
    *("saliency.methods.gradient", "saliency.methods", "saliency", "measures", "logger", "trainer"),
    *("model.net.channels", "model.net.kernel_size", "model.net._target_", "model.net", "model"),
    *("optimizer._target_", "optimizer", "dataset._target_", "data", "seeds", "probe", "paths"),
    *("optimizer.amsgrad", "trainer.profiler", "trainer.strategy", "trainer.detect_anomaly"),
    *("measures.faithfulness.num_steps", "measures.x._target_", "saliency.methods.x._target_"),
)
# paths.data_dir decides where the tests' data lie.
KEYS = sorted({*SETTINGS, *FURTHER, *PARTS} - {"paths.data_dir"})
NASTY = (
    *("nan", "inf", "-inf", "-1", "0", "1e400", "1e9", "0.5", "2", "-0.0", "null", "true", "''"),
    *("9" * 30, "-" + "9" * 30, "abc", "[]", "[1,2]", "[a,null]", "{}", "{a:1}", "{_target_:x}"),
    *("???", "'1'", "'${seed}'", "${seed}", "${data}", "${nothing.at.all}", "${oc.env:NO_SUCH}"),
    *(
        "${.}",
        "'ü'",
        "'日本'",
        "'\\n'",
        "' '",
        "../..",
        "x y",
        "[",
        "a=b",
        "1_000",
        "0x10",
        "torch.nn.ReLU",
    ),
    *("os.getcwd", "auglens", "builtins.int", "'${'", "[[1]]", "[nan]", "static", "100", "20"),
)


@st.composite
def misspelt(draw: st.DrawFn) -> str:
    key = draw(st.sampled_from(KEYS))
    place = draw(st.integers(0, len(key) - 1))
    return (
        key[:place] + draw(st.sampled_from(["", "x", ".", "_", key[place] * 2])) + key[place + 1 :]
    )


def overrides() -> st.SearchStrategy[list[str]]:
    key = st.one_of(st.sampled_from(KEYS), st.sampled_from(KEYS), misspelt())
    prefix = st.sampled_from(["", "", "", "", "+", "++", "~"])
    value = st.one_of(st.sampled_from(NASTY), st.sampled_from(NASTY), st.integers().map(str))
    setting = st.tuples(prefix, key, value).map(lambda parts: f"{parts[0]}{parts[1]}={parts[2]}")
    unknown = st.sampled_from([f"{group}={word}" for group in GROUPS for word in ("crp", "[x,y]")])
    right = st.sampled_from([*OPTIONS, "trainer.max_epochs=3", "seed=4", "data.mode=online"])
    return st.lists(st.one_of(setting, setting, right, unknown), min_size=1, max_size=4)


def outcome(given: Sequence[str], data_dir: Path) -> str:
    """How a set of overrides ends; anything but one line that names the mistake is ours."""
    try:
        prepared(given, data_dir)
    except ValueError as error:
        said = str(error)
        assert "\n" not in said, (given, said)
        assert names_a_mistake(said, given), (given, said)
        return "not composed" if isinstance(error, NotComposedError) else "refused"
    return "built"


def names_a_mistake(said: str, given: Sequence[str]) -> bool:
    """Whether a line holds a key, the last word of a key, or a value of the overrides."""
    words = set()
    for override in given:
        key, _, value = override.lstrip("+~").partition("=")
        words |= {key, key.rpartition(".")[2], key.partition(".")[0], value.strip("'\"[]{}")}
    return len(said) > 10 and any(word and word in said for word in words)


def fuzz(examples: int, data_dir: Path) -> Counter[str]:
    ends: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(overrides())
    def check(drawn: list[str]) -> None:
        ends[outcome(drawn, data_dir)] += 1

    check()
    return ends


@pytest.mark.parametrize(
    "examples", [200, pytest.param(1000, marks=pytest.mark.long)], ids=["200", "1000"]
)
def test_overrides_are_built_or_refused_in_one_line(
    examples: int, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = fuzz(examples, data_dir)
    with capsys.disabled():
        print(f"\n{examples} sets of overrides: {dict(ends)}")  # noqa: T201
    assert ends.total() >= examples
    assert min(ends["built"], ends["refused"]) > examples / 50
