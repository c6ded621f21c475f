# SPDX-License-Identifier: GPL-3.0-or-later
"""The caption side on made-up clips: it trains, and its bundle offers captions, search and MoTe."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from motion_engine.bundle import find
from motion_engine.engine import Engine, GenerateRequest
from motion_engine.errors import EngineError
from motion_engine.runtime.torch.captioner import END, MAX_WORDS, PAD, START
from motion_engine.runtime.torch.mote import INTERACTIONS, MoTeConfig, MotionTextDenoiser
from training import loop, low_rank
from training.config import AdapterSection, Config
from training.data.captions import mirror_caption
from training.data.motion_set import MotionSet
from training.export.adapter import stored_adapter, without_adapters
from training.latents import LatentWindow
from training.recipe import CAPTION_STAGES, export_run, extend_run, recipe, train_stage
from training.restore import restore
from training.train_captioner import load_captioner, told_by_people
from training.train_mld import LatentData, latent_data
from training.train_mote import ALIKE, ALONE, CLEAN, draw_times, load_mote, load_motion_tokens
from training.train_self_critical import (
    FEWEST_WORDS,
    MOST_WORDS,
    Reward,
    advantages,
    draw_sentences,
    policy_loss,
    told_windows,
    train_self_critical,
)
from training.vocabulary import SPECIAL, Vocabulary
from training.word_by_word import WordByWord

CAPTIONS = """
[captioner]
width = 32
heads = 2
motion_layers = 1
text_layers = 1
decoder_layers = 1
token_width = 16
text_tokens = 2
[captioner_training]
steps = 40
batch = 8
learning_rate = 3e-2
word_drop = 0.2
contrast = 1.0
text_noise = 0.3
[self_critical]
steps = 12
batch = 4
samples = 3
fit = 0.5
unheard = 0.1
length = 0.5
likelihood = 0.2
learning_rate = 3e-2
rarity = 0.5
shares = { waves = 0.7, walks = 0.3 }
[mote]
width = 32
heads = 2
layers = 2
encoder_layers = 1
decoder_layers = 1
motion_tokens = 3
interaction = "in_context"
[mote_training]
motion_steps = 40
motion_batch = 8
motion_rate = 3e-3
token_noise = 0.1
steps = 20
learning_rate = 3e-3
batch = 8
[presets.captions]
captioner = "direct"
steps = 4
guidance = 2.0
[presets.mote]
steps = 4
guidance = 3.0
"""


@pytest.fixture(scope="module")
def caption_config(config_text, tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "tiny.toml"
    file.write_text(config_text + CAPTIONS)
    return Config.read(file)


@pytest.fixture(scope="module")
def run(caption_config, mocap_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    recipe(caption_config, mocap_folder, folder / "run", folder / "without" / "tiny", "")
    motion_set = MotionSet.load(folder / "run" / "motions.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "LOG_EVERY", 1)
        for stage in CAPTION_STAGES:
            train_stage(stage, caption_config, motion_set, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def bundle(caption_config, run):
    out = run.parent / "with" / "tiny"
    export_run(caption_config, MotionSet.load(run / "motions.npz"), run, out, "")
    return find(out)


def losses_of(run, stage):
    return [json.loads(line)["loss"] for line in (run / f"{stage}.jsonl").read_text().splitlines()]


def test_the_stages_learn(run):
    for stage in CAPTION_STAGES:
        assert np.isfinite(losses_of(run, stage)).all()
    losses = losses_of(run, "captioner")
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_the_bundle_offers_what_was_trained(bundle, caption_config):
    assert {"motion_to_text", "embed", "variation", "joint"} <= set(bundle.manifest["tasks"])
    section = bundle.manifest["captions"]
    words = json.loads((bundle.path / section["words_file"]).read_text())
    assert tuple(words[:3]) == SPECIAL
    assert section["max_words"] == MAX_WORDS
    assert bundle.manifest["networks"]["mote"]["motion_tokens"] == 3


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_a_sentence_becomes_a_motion_by_mote(bundle, backend):
    engine = Engine(bundle, "cpu", backend)
    request = GenerateRequest("a person waves", duration=1.5, seed=3, count=2, sampler="mote")
    told: list[tuple[int, int]] = []
    one, other = engine.generate(request, lambda *step: told.append(step))
    assert one.n_frames == 30 and not np.allclose(one.joints, other.joints)
    assert told[-1] == (4, 4)
    np.testing.assert_array_equal(one.joints, engine.generate(request)[0].joints)
    with pytest.raises(EngineError, match="1 to 1000"):
        engine.generate(GenerateRequest("a person waves", sampler="mote", steps=0))


def test_a_run_comes_back_from_its_bundle(bundle, run, caption_config, tmp_path):
    assert {"captioner", "mote_motion", "mote"} <= set(restore(bundle, tmp_path / "run"))
    trained, words = load_captioner(caption_config, run)
    restored, same_words = load_captioner(caption_config, tmp_path / "run")
    assert same_words.words == words.words
    for one, other in zip(trained.parameters(), restored.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-2, rtol=1e-2)  # a bundle holds them rounded
    load_motion_tokens(caption_config, tmp_path / "run")
    load_mote(caption_config, tmp_path / "run")


def test_a_bundle_is_extended_and_keeps_what_it_has(run, caption_config, tmp_path):
    without = find(run.parent / "without" / "tiny")
    extend_run(caption_config, without, run, tmp_path / "tiny", "made by hand")
    extended = find(tmp_path / "tiny")  # checks every hash
    old, new = without.manifest["files"], extended.manifest["files"]
    assert {name: new[name] for name in old} == old
    assert {"mote.onnx", "caption_encoder.onnx", "words.json"} <= set(new) - set(old)
    assert extended.manifest["extended_with"] == ["made by hand"]
    extend_run(caption_config, extended, run, tmp_path / "tiny", "again")
    assert find(tmp_path / "tiny").manifest["extended_with"] == ["made by hand", "again"]


def test_networks_of_other_latents_are_refused(run, caption_config, tmp_path):
    without = find(run.parent / "without" / "tiny")
    for name in ("vae.pt", "captioner.pt", "words.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    with np.load(run / "latent_stats.npz") as stats:
        np.savez(tmp_path / "latent_stats.npz", mean=stats["mean"] + 1, std=stats["std"])
    with pytest.raises(ValueError, match="training restore"):
        extend_run(caption_config, without, tmp_path, tmp_path / "tiny", "")
    assert not (tmp_path / "tiny").exists()


@pytest.fixture(scope="module")
def adapted(caption_config, run, bundle, tmp_path_factory):
    """The bundle with an adapter of its caption decoder."""
    folder = tmp_path_factory.mktemp("adapted")
    config = replace(caption_config, adapter=AdapterSection("tiny", 2))
    motion_set = MotionSet.load(run / "motions.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(low_rank, "SMALLEST", 512)
        patch.setattr(loop, "LOG_EVERY", 1)
        train_stage("self_critical", config, motion_set, folder / "run", run)
    extend_run(caption_config, bundle, folder / "run", folder / "tiny", "made by hand")
    return folder


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_a_decoder_trained_on_what_it_says_is_an_adapter_of_the_bundle(
    adapted, bundle, caption_config, backend
):
    extended = find(adapted / "tiny")
    assert set(extended.manifest["adapters"]) == {"text_decoder"}
    rows = [json.loads(line) for line in (adapted / "run" / "self_critical.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) and row["reward"] <= 10.5 for row in rows)
    for row in rows:
        assert row["loss"] == pytest.approx(row["policy"] + 0.2 * row["likelihood"], abs=1e-3)
    words = np.array([[START, 4, 5]])
    memory = {
        "memory": np.random.default_rng(0).standard_normal((1, 3, 16), dtype=np.float32),
        "memory_mask": np.ones((1, 3), dtype=bool), "words": words,
    }  # fmt: skip
    before, after = (
        Engine(one, "cpu", backend).network("text_decoder")(memory)[0] for one in (bundle, extended)
    )
    assert np.isfinite(after).all() and np.abs(before - after).max() > 1e-3


def test_peoples_captions_become_likelier_beside_its_own(caption_config, run, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    settings = replace(caption_config.self_critical, likelihood=20.0, fit=0.0, steps=16, learning_rate=2e-2)
    config = replace(caption_config, self_critical=settings)
    data = latent_data(config, motion_set := MotionSet.load(run / "motions.npz"), run)
    train_self_critical(config, data, motion_set, tmp_path, run)
    rows = [json.loads(line) for line in (tmp_path / "self_critical.jsonl").read_text().splitlines()]
    first, last = (np.mean([row["likelihood"] for row in part]) for part in (rows[:3], rows[-3:]))
    assert last < 0.9 * first


def test_a_network_is_adapted_anew(adapted, bundle, caption_config):
    """Its new adapter takes the place of the old one, in place of being added to it."""
    plain = without_adapters(find(adapted / "tiny"), ["text_decoder"])
    extend_run(caption_config, plain, adapted / "run", adapted / "anew" / "tiny", "", 0.5)
    halved = find(adapted / "anew" / "tiny")  # checks every hash
    whole, half = (stored_adapter(one, "text_decoder") for one in (find(adapted / "tiny"), halved))
    for key in [key.removesuffix(".up") for key in whole if key.endswith(".up")]:
        one, other = (each[f"{key}.up"] @ each[f"{key}.down"] for each in (whole, half))
        torch.testing.assert_close(other, one / 2, atol=1e-4, rtol=1e-2)
    with pytest.raises(ValueError, match="no adapter of a network mld"):
        without_adapters(plain, ["mld"])


def test_a_bundle_that_leans_on_another_takes_its_adapter_along(adapted, caption_config, run):
    extended = find(adapted / "tiny")
    leaning = replace(
        caption_config,
        bundle=replace(caption_config.bundle, name="lean"),
        adapter=AdapterSection(str(adapted / "tiny"), 2),
    )
    train_stage("mld", leaning, MotionSet.load(run / "motions.npz"), adapted / "more", run)
    export_run(leaning, MotionSet.load(run / "motions.npz"), adapted / "more", adapted / "lean", "")
    found = find(adapted / "lean")
    assert set(found.manifest["adapters"]) == {"mld", "text_decoder"}
    assert found.adapters("text_decoder") == extended.adapters("text_decoder")
    assert "text_decoder.adapter.safetensors" not in found.manifest["files"]


def test_a_bundle_that_adapts_nothing_but_captions(adapted, caption_config, run, bundle):
    """Its EMDM, if there is one, has no teacher's adapter to take."""
    leaning = replace(
        caption_config,
        bundle=replace(caption_config.bundle, name="told"),
        adapter=AdapterSection(str(bundle.path), 2),
    )
    export_run(leaning, MotionSet.load(run / "motions.npz"), adapted / "run", bundle.path.parent / "told", "")
    assert set(find(bundle.path.parent / "told").manifest["adapters"]) == {"text_decoder"}


def test_what_self_critical_training_needs_is_said(caption_config, run, tmp_path):
    motion_set = MotionSet.load(run / "motions.npz")
    with pytest.raises(ValueError, match="--start-from"):
        train_self_critical(caption_config, LatentData([], None, None, None), motion_set, tmp_path)
    with pytest.raises(ValueError, match="has a caption by people"):
        train_self_critical(caption_config, LatentData([], None, None, None), motion_set, tmp_path, run)
    alone = replace(caption_config, self_critical=replace(caption_config.self_critical, samples=1))
    with pytest.raises(ValueError, match="2 or more"):
        train_stage("self_critical", alone, motion_set, tmp_path, run)
    missing = replace(caption_config, self_critical=None)
    with pytest.raises(ValueError, match=r"lacks the section \[self_critical\]"):
        train_stage("self_critical", missing, motion_set, tmp_path, run)


def test_sentences_are_compared_with_peoples_alone(run):
    motion_set = MotionSet.load(run / "motions.npz")
    human = motion_set.windows[0].captions[0]
    latents = torch.zeros(2, 4)
    windows = [
        LatentWindow(latents, latents, (human, "measured", human), "a"),
        LatentWindow(latents, latents, ("composed",), "joined"),
    ]
    told = told_windows(LatentData(windows, None, None, None), motion_set)
    assert [window.captions for window in told.windows] == told.references == [(human,)]


def test_drawn_sentences_begin_end_and_are_padded(run, caption_config):
    networks, words = load_captioner(caption_config, run)
    cannot = np.zeros(len(words), dtype=bool)
    cannot[: len(words) // 2] = True
    torch.manual_seed(0)
    memory, mask = torch.randn(40, 3, 16), torch.ones(40, 3, dtype=torch.bool)
    said = draw_sentences(networks.decoder, memory, mask, cannot)
    assert (said[:, 0] == START).all() and said.shape[1] <= MOST_WORDS
    for row in said.tolist():
        assert not cannot[row[1]] and START not in row[1:]
        if END in row:
            at = row.index(END)
            assert at > FEWEST_WORDS and set(row[at + 1 :]) <= {PAD} and PAD not in row[:at]


def test_word_by_word_the_decoder_says_what_it_says_at_once(run, caption_config):
    networks, words = load_captioner(caption_config, run)
    memory, mask = torch.randn(4, 5, 16), torch.arange(5) < torch.tensor([[5], [3], [2], [5]])
    said = torch.randint(END + 1, len(words), (4, 6))
    with torch.no_grad():
        writer = WordByWord(networks.decoder, memory, mask)
        rows = torch.arange(4)
        for count in range(1, 7):
            alone = networks.decoder(memory[rows], mask[rows], said[rows, :count])
            torch.testing.assert_close(writer.next(said[rows, count - 1]), alone)
            if count == 3:
                writer.keep(torch.tensor([True, False, True, True]))
                rows = torch.tensor([0, 2, 3])


def test_words_in_a_row_that_nobody_says_cost(run, caption_config):
    networks, _ = load_captioner(caption_config, run)
    references = [("a man picks up a box", "the man stands up"), ("a man stands up", "she jumps")]
    rewards = [
        Reward(references, networks.text, caption_config.bundle.text_encoder, 0.0, unheard, 0.0)
        for unheard in (0.0, 0.5)
    ]
    sentences = ["a man picks up a box", "a man stands up a box", "a man stands up"]
    plain, dear = (reward(sentences, [0, 0, 0], torch.zeros(3, 16)) for reward in rewards)
    # "stands up a": its other words stand side by side in what people say
    torch.testing.assert_close(plain - dear, torch.tensor([0.0, 0.5, 0.0]))


def test_a_sentence_as_long_as_peoples_is_worth_more(run, caption_config):
    networks, _ = load_captioner(caption_config, run)
    references = [("a man walks", "the man walks forward slowly"), ("she jumps",)]
    encoder = caption_config.bundle.text_encoder
    plain, long = (Reward(references, networks.text, encoder, 0.0, 0.0, length) for length in (0.0, 0.5))
    sentences = ["a man", "a man walks forward", "a man walks forward slowly", "she jumps"]
    windows, motions = [0, 0, 0, 1], torch.zeros(4, 16)
    gained = long(sentences, windows, motions) - plain(sentences, windows, motions)
    torch.testing.assert_close(gained, torch.tensor([0.25, 0.5, 0.5, 0.5]))


def test_a_sentence_that_scores_better_than_its_rivals_becomes_likelier():
    found = advantages(torch.tensor([[1.0, 0.0, 0.5], [2.0, 2.0, 2.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.75, -0.75, 0.0], [0.0, 0.0, 0.0]]))
    logits = torch.zeros(2, 2, 6, requires_grad=True)
    said = torch.tensor([[START, 4, END], [START, 5, END]])
    policy_loss(logits, said, torch.tensor([1.0, -1.0])).backward()
    assert logits.grad[0, 0, 4] < 0 < logits.grad[1, 0, 5]
    behind = torch.tensor([[START, 4, END], [START, END, PAD]])
    logits.grad = None
    policy_loss(logits, behind, torch.tensor([1.0, 1.0])).backward()
    assert (logits.grad[1, 1] == 0).all()


def test_a_run_without_captions_offers_none(run):
    without = find(run.parent / "without" / "tiny")
    assert without.manifest["tasks"] == ["text_to_motion"]
    assert "captions" not in without.manifest


def test_an_interrupted_stage_resumes_to_the_same_weights(run, caption_config, tmp_path):
    for name in ("vae.pt", "normaliser.npz", "captions.npz", "captioner.pt", "words.json", "mote_motion.pt"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    motion_set = MotionSet.load(run / "motions.npz")
    stopped = loop.save_checkpoint
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)

        def interrupted(checkpoint, state):
            stopped(checkpoint, state)
            if state["step"] == 7:
                raise KeyboardInterrupt

        patch.setattr(loop, "save_checkpoint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_stage("mote", caption_config, motion_set, tmp_path)
    train_stage("mote", caption_config, motion_set, tmp_path)
    one, other = (torch.load(folder / "mote.pt", weights_only=True)["ema"] for folder in (run, tmp_path))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_missing_section_is_named(config, tmp_path):
    with pytest.raises(ValueError, match=r"lacks the section \[captioner\]"):
        train_stage("captioner", config, MotionSet({}, [], 20.0), tmp_path)


def test_tokens_of_any_length_come_back_at_that_length(run, caption_config):
    tokens = load_motion_tokens(caption_config, run)
    mask = torch.arange(9) < torch.tensor([[9], [4]])
    with torch.no_grad():
        found = tokens.encoder(torch.randn(2, 9, 4), mask)
        assert found.shape == (2, 3, 16)
        assert tokens.decoder(found, mask).shape == (2, 9, 4)


def test_the_decoder_sees_no_word_to_come(run, caption_config):
    networks, _ = load_captioner(caption_config, run)
    memory, words = torch.randn(1, 2, 16), torch.tensor([[START, 4, 5, 6]])
    with torch.no_grad():
        every = networks.decoder.every(memory, None, words)
        for count in range(1, 5):
            alone = networks.decoder(memory, torch.ones(1, 2, dtype=torch.bool), words[:, :count])
            torch.testing.assert_close(alone, every[:, count - 1])


def test_words_come_from_the_text_encoders_pieces():
    vocabulary = Vocabulary.of(["a person walks", "a person tiptoes backwards"], "all-MiniLM-L6-v2")
    row = vocabulary.encode("a person tiptoes")
    assert row[0] == START and row[-1] == END and PAD not in row
    assert vocabulary.encode("a person zigzags")[:3] == vocabulary.encode("a person")[:3]
    assert vocabulary.batch(["a", "a person walks"]).shape == (2, 5)


def test_windows_are_told_in_the_words_of_people(run):
    motion_set = MotionSet.load(run / "motions.npz")
    human = motion_set.windows[0].captions[0]
    window = LatentWindow(
        torch.zeros(2, 4), torch.zeros(2, 4), (mirror_caption(human), "measured", "other"), ""
    )
    (told,) = told_by_people([window], motion_set)
    assert 0.7 < np.mean([caption == mirror_caption(human) for caption in told.captions]) < 0.9
    alone = LatentWindow(torch.zeros(2, 4), torch.zeros(2, 4), ("composed",), "joined")
    assert told_by_people([alone], motion_set)[0].captions == ("composed",)


def test_times_cover_what_sampling_asks_for():
    torch.manual_seed(0)
    motion, text = draw_times(20_000, torch.device("cpu"))
    one_clean = ((motion == 0) | (text == 0)).float().mean().item()
    one_alone = ((motion == 999) | (text == 999)).float().mean().item()
    both = (motion == text).float().mean().item()
    for share, expected in ((one_clean, CLEAN), (one_alone, ALONE), (both, ALIKE)):
        assert abs(share - expected) < 0.02


@pytest.mark.parametrize("interaction", INTERACTIONS)
def test_each_interaction_carries_text_to_motion(interaction):
    torch.manual_seed(0)
    network = MotionTextDenoiser(MoTeConfig(32, 2, 2, 1, 1, 3, interaction), 16, 2).eval()
    torch.nn.init.normal_(network.motion_out.weight)
    motion, text, times = torch.randn(1, 3, 16), torch.randn(1, 2, 16), (torch.tensor([500.0]),) * 2
    with torch.no_grad():
        one, other = network(motion, text, *times), network(motion, text + 1.0, *times)
    assert (one[:, :3] - other[:, :3]).abs().max() > 1e-4


def test_an_unknown_interaction_is_refused():
    with pytest.raises(ValueError, match="in_context, cross_attention, adaln"):
        MoTeConfig(32, 2, 2, 1, 1, 3, "osmosis")
