# SPDX-License-Identifier: GPL-3.0-or-later
"""How near captions come to what people wrote: BLEU, ROUGE-L, CIDEr, BERTScore, and how repetitive they are.

References of a clip are all its human captions. "Real" captions are scored by leaving one out: it is the caption, the
others are the references (`leave_one_out`), so that the row of real captions has one reference less than those of the
captioners. Words are those of `words`, the same for every metric: lower case, letters and digits, no punctuation, no
lemmas (published numbers on HumanML3D are mostly on lemmatised references and are not comparable for that alone).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from training.evaluate.cider import cider

References = Sequence[Sequence[str]]
"""Of each clip one sentence or more."""

BERT_MODEL, BERT_LAYER = "roberta-large", 17
"""What BERTScore's authors recommend for English, and the layer that they found best."""

BERT_VARIABLE = "MOTION_PROMPT_BERTSCORE"
"""Environment variable with the folder of that model, where it is not in the cache of Hugging Face."""

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")


@dataclass(frozen=True)
class CaptionScores:
    """Scores of the captions of a set, as the papers print them: times 100.

    Attributes
    ----------
    bert : None where it was not measured.
    repeated : share of captions in which three words in a row come twice, in per cent.
    distinct : different captions in per cent of all.
    """

    bleu1: float
    bleu4: float
    rouge: float
    cider: float
    bert: float | None
    repeated: float
    distinct: float


def words(sentence: str) -> list[str]:
    """Words of a sentence in lower case; hyphens part words, apostrophes do not."""
    return _WORD.findall(sentence.lower().replace("’", "'"))


def plain(sentence: str) -> str:
    """The words of a sentence with blanks between them."""
    return " ".join(words(sentence))


def bleu(captions: Sequence[str], references: References, order: int) -> float:
    """BLEU of the corpus with n-grams up to ``order``, 0 to 100, by sacrebleu (Papineni et al. 2002).

    No smoothing; the brevity penalty is by the reference whose length is nearest.
    """
    from sacrebleu.metrics.bleu import BLEU

    most = max(len(several) for several in references)
    # sacrebleu wants the first references of all clips, then the second ones; a clip with fewer has None
    streams = [
        [plain(several[i]) if i < len(several) else None for several in references] for i in range(most)
    ]
    metric = BLEU(max_ngram_order=order, tokenize="none", smooth_method="none", force=True)
    return float(metric.corpus_score([plain(caption) for caption in captions], streams).score)


def rouge_l(captions: Sequence[str], references: References) -> float:
    """Mean over clips of the best F1 of the longest common subsequence, 0 to 100, by rouge-score (Lin 2004)."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=_Words())
    found = [
        scorer.score_multi(list(several), caption)["rougeL"].fmeasure
        for caption, several in zip(captions, references, strict=True)
    ]
    return 100 * float(np.mean(found))


class _Words:
    """`words` in the form that rouge-score asks for."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def clip_ciders(captions: Sequence[str], references: References) -> list[float]:
    """CIDEr-D times 100 of every clip; rarity of words is that in ``references``. See `training.evaluate.cider`."""
    tokens = [[words(sentence) for sentence in several] for several in references]
    return [100 * value for value in cider([words(caption) for caption in captions], tokens)]


def bert_folder() -> Path:
    """Folder of the model of BERTScore; nothing is downloaded.

    Raises
    ------
    FileNotFoundError
        "not measured: ..." with what is missing.
    """
    try:
        import bert_score  # noqa: F401
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise FileNotFoundError(f"not measured: the package {error.name} is missing.") from error
    named = os.environ.get(BERT_VARIABLE)
    if named:
        if not (Path(named) / "config.json").exists():
            raise FileNotFoundError(f"not measured: {BERT_VARIABLE} names no folder of {BERT_MODEL}.")
        return Path(named)
    for repository in (BERT_MODEL, f"FacebookAI/{BERT_MODEL}"):
        found = try_to_load_from_cache(repository, "config.json")
        if isinstance(found, str):
            return Path(found).parent
    raise FileNotFoundError(
        f"not measured: the model {BERT_MODEL} is not on this disk. Put it into the cache of Hugging Face or name its "
        f"folder in {BERT_VARIABLE}."
    )


def bertscore(
    captions: Sequence[str],
    references: References,
    folder: Path,
    layer: int = BERT_LAYER,
    rescaled: bool = True,
) -> float:
    """Mean BERTScore F1 against the best reference, weighted by rarity of words, times 100 (Zhang et al. 2020).

    Parameters
    ----------
    folder : of the model, see `bert_folder`.
    rescaled : as the papers do, so that unrelated sentences have about 0. The baseline is that of roberta-large.

    Raises
    ------
    ValueError
        If the model cannot be read.
    """
    import bert_score

    baseline = Path(bert_score.__file__).parent / "rescale_baseline" / "en" / f"{BERT_MODEL}.tsv"
    # a caption without words has no embedding: it scores nothing
    kept = [i for i, caption in enumerate(captions) if words(caption)]
    if not kept:
        return 0.0
    try:
        _, _, found = bert_score.score(
            [plain(captions[i]) for i in kept],
            [[plain(sentence) for sentence in references[i]] for i in kept],
            model_type=str(folder), num_layers=layer, idf=True, rescale_with_baseline=rescaled,
            baseline_path=str(baseline), lang="en", nthreads=1,
        )  # fmt: skip
    except (OSError, AssertionError, KeyError, ValueError) as error:
        raise ValueError(f"The model of BERTScore in {folder} cannot be used: {error}") from error
    return 100 * float(found.sum()) / len(captions)


def has_repeated_trigram(caption: str) -> bool:
    """Whether three words in a row come twice: the weakness of captioners that stutter."""
    found = words(caption)
    trigrams = [tuple(found[i : i + 3]) for i in range(len(found) - 2)]
    return len(set(trigrams)) < len(trigrams)


def score_captions(
    captions: Sequence[str], references: References, bert: Path | None = None
) -> CaptionScores:
    """All scores of one caption a clip.

    Parameters
    ----------
    bert : folder of BERTScore's model; it is not measured when None.

    Raises
    ------
    ValueError
        If there is no caption, or a clip has no reference.
    """
    if not captions or len(captions) != len(references):
        raise ValueError("Captions are scored against the references of the same clips; there are none.")
    if any(not several for several in references):
        raise ValueError("A clip without a human caption cannot be scored.")
    return CaptionScores(
        bleu(captions, references, 1),
        bleu(captions, references, 4),
        rouge_l(captions, references),
        float(np.mean(clip_ciders(captions, references))),
        None if bert is None else bertscore(captions, references, bert),
        100 * float(np.mean([has_repeated_trigram(caption) for caption in captions])),
        100 * len({plain(caption) for caption in captions}) / len(captions),
    )


def scores_by_source(
    captions: Sequence[str], references: References, sources: Sequence[str]
) -> dict[str, tuple[float, float, float]]:
    """BLEU-4, ROUGE-L and CIDEr of the clips of each source; rarity of words for CIDEr is that in all of them."""
    ciders = np.array(clip_ciders(captions, references))
    found = {}
    for source in sorted(set(sources)):
        at = [i for i, name in enumerate(sources) if name == source]
        own, theirs = [captions[i] for i in at], [references[i] for i in at]
        found[source] = (bleu(own, theirs, 4), rouge_l(own, theirs), float(ciders[at].mean()))
    return found


def known_share(captions: Sequence[str], known: Collection[str]) -> float:
    """Captions, in per cent, that are word for word among ``known`` ones, which are `plain`."""
    return 100 * float(np.mean([plain(caption) in known for caption in captions]))


def mean_scores(several: Sequence[CaptionScores]) -> CaptionScores:
    """The mean of each score over sets of captions."""
    means: dict[str, float | None] = {}
    for field in fields(CaptionScores):
        values = [value for scores in several if (value := getattr(scores, field.name)) is not None]
        means[field.name] = float(np.mean(values)) if values else None
    return CaptionScores(**means)  # type: ignore[arg-type]


def leave_one_out(references: References, draw: int) -> tuple[list[int], list[str], list[list[str]]]:
    """Human captions as if a captioner had made them.

    Parameters
    ----------
    draw : which caption of a clip is left out, counted on from a place that differs by clip: captions of a set are
        often in order of length.

    Returns
    -------
    tuple
        Indices of the clips with two captions or more, the caption left out of each, and its other captions.
    """
    kept = [i for i, several in enumerate(references) if len(several) > 1]
    left = [(i + draw) % len(references[i]) for i in kept]
    captions = [references[i][which] for i, which in zip(kept, left, strict=True)]
    others = [
        [caption for place, caption in enumerate(references[i]) if place != which]
        for i, which in zip(kept, left, strict=True)
    ]
    return kept, captions, others
