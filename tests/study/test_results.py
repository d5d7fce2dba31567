"""``results.md``, read by a Markdown parser, and the commands that make it again."""

import re
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from omegaconf import OmegaConf

from auglens.records.run import RunState, write_status
from auglens.study import Study, build_study
from auglens.study.pages import say_multiplicity
from auglens.study.rebuilding import training_commands
from auglens.study.verdicts.primary import PRIMARY, WITH_MAPS
from auglens.study.verdicts.verdict import Outcome, Verdict
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import make_config, write_run

HOSTILE = "a|b_c_*d* [e](f) `g` <i>h</i> &amp; $x$ ~~y~~ \\k"
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Results:
    """A Markdown page as a reader sees it."""

    def __init__(self, path: Path) -> None:
        self.source = path.read_text(encoding="utf-8")
        self.tokens = MARKDOWN.parse(self.source)

    @property
    def headings(self) -> list[str]:
        """All headings."""
        found = zip(self.tokens, self.tokens[1:], strict=False)
        return [_text(inside) for start, inside in found if start.type == "heading_open"]

    @property
    def rows(self) -> list[list[str]]:
        """All rows of all tables."""
        rows: list[list[str]] = []
        for before, token in zip(self.tokens, self.tokens[1:], strict=False):
            if token.type == "tr_open":
                rows.append([])
            if before.type in ("th_open", "td_open"):
                rows[-1].append(_text(token))
        return rows

    @property
    def inline(self) -> list[Token]:
        """Everything that stands in a line."""
        return [one for token in self.tokens for one in token.children or ()]

    @property
    def commands(self) -> list[str]:
        """The lines of the block of commands."""
        (fence,) = (token for token in self.tokens if token.type == "fence")
        return fence.content.splitlines()


def _images(results: Results) -> list[Token]:
    return [token for token in results.inline if token.type == "image"]


def _text(token: Token) -> str:
    return "".join(
        one.content for one in token.children or () if one.type in ("text", "code_inline")
    )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results of a sweep whose augmentation, classes and data set are named in Markdown."""
    sweep = tmp_path_factory.mktemp("hostile") / "a,[b]_c_"
    for seed in (0, 1):
        for augment in ("none", "crop"):
            names = [HOSTILE, "$", "a_b_", "*"]
            config = make_config(augment, seed=seed, dataset={"class_names": names})
            config["dataset"]["name"] = HOSTILE
            config["augment"]["name"] = HOSTILE if augment == "crop" else augment
            write_run(sweep / f"{augment}-s1-seed{seed}", config)
    for number in range(23):
        write_status(sweep / f"failed-{number}", RunState.FAILED, error=HOSTILE)
    return Results(build_study([sweep], out=sweep, **MEASURING).report.parent / "results.md")


def test_names_are_text_in_headings_tables_and_alternative_texts(hostile: Results) -> None:
    assert HOSTILE in hostile.headings
    assert HOSTILE in [row[0] for row in hostile.rows]
    alts = ["".join(one.content for one in token.children or ()) for token in _images(hostile)]
    assert any(HOSTILE in alt for alt in alts)


def test_names_make_no_mark_of_their_own(hostile: Results) -> None:
    kinds = {token.type for token in hostile.inline} | {token.type for token in hostile.tokens}
    assert not kinds & {"html_inline", "html_block", "link_open", "code_inline", "s_open"}
    emphasised = [
        after.content
        for before, after in zip(hostile.inline, hostile.inline[1:], strict=False)
        if before.type in ("em_open", "strong_open")
    ]
    assert emphasised
    assert not {"d", "c"} & set(emphasised)


def test_every_row_has_the_cells_of_its_head(hostile: Results) -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", hostile.source, flags=re.MULTILINE)
    assert len(tables) == sum(token.type == "table_open" for token in hostile.tokens) > 5
    for table in tables:
        # A parser drops what is too much and fills up what lacks.
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_what_is_missing_is_named_and_a_long_list_ends(hostile: Results) -> None:
    assert "- Runs that did not finish (23)\n  - failed-0: FAILED, a\\|b" in hostile.source
    missing = hostile.source.split("## Missing")[1]
    assert missing.count("FAILED") == 20
    assert "\n  - and 3 more\n" in missing


def test_nothing_is_escaped_in_the_commands(hostile: Results) -> None:
    (command, *_) = [line for line in hostile.commands if "auglens.study" in line]
    assert 'a,[b]_c_"' in command
    assert "\\" not in "".join(hostile.commands)


def test_headings_are_titles_and_each_verdict_has_one(study: Study) -> None:
    headings = Results(study.report.parent / "results.md").headings
    titles = ["Test accuracy", "Ranks of test accuracy", "Noise floors"]
    assert [one for one in headings if one in titles] == titles
    for primary in PRIMARY:
        assert f"{primary.name}: {primary.statement}" in headings
    assert not [one for one in headings if one.count("(") != one.count(")")]


def test_figures_come_in_the_order_of_their_numbers_and_are_there(study: Study) -> None:
    folder = study.report.parent
    names = [str(token.attrs["src"]) for token in _images(Results(folder / "results.md"))]
    numbers = [int(name.removeprefix("figures/fig").split("_")[0]) for name in names]
    assert numbers == [6, 13, 14, 16, 17, 18]
    assert all((folder / name).is_file() for name in names)


def test_accuracies_stand_beside_the_posters(study: Study) -> None:
    rows = Results(study.report.parent / "results.md").rows
    (row,) = (row for row in rows if row[0] == "crop" and row[-2:] == ["0.88", "0.87"])
    own = study.table1.set_index("label").loc["crop"]
    assert row[1] == str(own["n"])
    assert row[3].startswith(f"{own['test_accuracy_mean']:.3f} ± ")


def test_the_other_methods_verdicts_are_shown_without_the_primary_ones(
    trusted_study: Study,
) -> None:
    results = Results(trusted_study.report.parent / "results.md")
    assert "The same with integrated_gradients, not primary" in results.headings
    part = results.source.split("## The same with integrated")[1].split("\n## ")[0]
    shown = re.findall(r"^\| ([CH]\d\w?) \|", part, flags=re.MULTILINE)
    assert shown == [one.name for one in PRIMARY if one.name in WITH_MAPS]


def test_only_verdicts_with_a_test_may_err() -> None:
    tested, untold = Outcome("shown", "", test="t", p=0.01), Outcome("cannot", "")
    verdicts = [Verdict(PRIMARY[0], one) for one in [tested] * 3 + [untold] * 5]
    assert "of 3 tests without any effect 0.15 are expected" in say_multiplicity(verdicts)
    assert say_multiplicity(verdicts[3:]) == "These runs allow none of their tests."


def _write_overrides(folder: Path, *, task: object, hydra: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {"hydra": {"overrides": {"task": task, "hydra": hydra}}}
    OmegaConf.save(OmegaConf.create(content), folder / "multirun.yaml")


def test_training_commands_are_what_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGLENS_SECRET", "hush")
    task = ["seed=7", "seeds.order=${seed}", "logger.entity=${oc.env:AUGLENS_SECRET}", "x=${gone}"]
    own = ["hydra.sweep.dir=/elsewhere", "hydra.mode=MULTIRUN", "hydra/launcher=ray"]
    _write_overrides(tmp_path / "a,b", task=task, hydra=own)
    (command,) = training_commands([tmp_path / "a,b"])
    assert command == (
        "python train.py -m seed=7 'seeds.order=${seed}' "
        "'logger.entity=${oc.env:AUGLENS_SECRET}' 'x=${gone}' hydra/launcher=ray "
        f"'hydra.sweep.dir=\"{tmp_path}/a,b\"'"
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("- a list", id="no mapping"),
        pytest.param("hydra: {}", id="no overrides"),
        pytest.param("hydra: {overrides: {task: null, hydra: []}}", id="nothing in it"),
        pytest.param("hydra: [", id="no YAML"),
        pytest.param("", id="empty"),
    ],
)
def test_a_sweep_of_another_origin_has_no_training_command(tmp_path: Path, content: str) -> None:
    (tmp_path / "multirun.yaml").write_text(content, encoding="utf-8")
    assert training_commands([tmp_path, tmp_path / "gone"]) == []


def test_the_commands_train_and_build(tmp_path: Path) -> None:
    write_run(tmp_path / "0-none", make_config("none"))
    _write_overrides(tmp_path, task=["experiment=seeds"], hydra=[])
    study = build_study([tmp_path], out=tmp_path, **MEASURING)
    assert Results(study.report.parent / "results.md").commands == [
        f"python train.py -m experiment=seeds hydra.sweep.dir={tmp_path}",
        f"python -m auglens.study sweep={tmp_path}",
    ]


def test_the_commands_take_the_measures_that_are_there(
    trusted_sweep: Path, trusted_study: Study
) -> None:
    explain, _ = Results(trusted_study.report.parent / "results.md").commands
    assert explain.startswith(f"python -m auglens.explain sweep={trusted_sweep} 'saliency=[")
    assert "equivariance" in explain


def test_a_table_of_numbers_equals_its_file(study: Study) -> None:
    rows = Results(study.report.parent / "results.md").rows
    table = pd.read_csv(study.report.parent / "tables" / "accuracy_intervals.csv")
    for one in table.to_dict("records"):
        assert [one["label"], str(one["n"]), f"{one['mean']:.3f}"] in [row[:3] for row in rows]
