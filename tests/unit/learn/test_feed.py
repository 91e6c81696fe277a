"""Batches come in the order asked for, whether they are read for every epoch or lie on a device."""

import numpy as np
import pytest

from bolus.learn.cases import CaseSet, Memory

torch = pytest.importorskip("torch")

from bolus.learn.feed import Feed  # noqa: E402

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")),
]
ORDER = [3, 1, 4, 0, 2, 5]


@pytest.fixture
def cases(tubes):
    return CaseSet(tubes, lambda case: {"image": case.image[:, :8, :8], "target": case.target[:, :8, :8]})


def held(cases, room_mb):
    """Return a feed that keeps its cases as on a GPU, in memory."""
    feed = Feed(cases, 4, torch.device("cpu"))
    feed._stays = len(cases) * sum(a.nbytes for a in cases[0].values()) <= room_mb * 1e6
    return feed


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("device", DEVICES)
def test_batches_hold_the_cases_asked_for(cases, device, workers):
    batches = Feed(cases, 4, torch.device(device), workers=workers, room_mb=10).batches(ORDER)

    assert len(batches) == 2
    images = torch.cat([batch["image"] for batch in batches])
    assert images.device.type == device
    np.testing.assert_array_equal(images.cpu(), np.stack([cases[i]["image"] for i in ORDER]))


def test_kept_cases_are_those_that_are_read(cases):
    reads = Feed(cases, 4, torch.device("cpu")).batches(ORDER)
    for kept, read in zip(held(cases, 10).batches(ORDER), reads, strict=True):
        for name in ("image", "target"):
            assert kept[name].dtype == read[name].dtype
            assert torch.equal(kept[name], read[name])


def test_kept_cases_are_read_once(cases, monkeypatch):
    feed = held(cases, 10)
    list(feed.batches(ORDER))
    monkeypatch.setattr(cases, "case", None)
    monkeypatch.setattr(cases, "_memory", Memory(0.0))

    assert torch.equal(feed.batches([2])[0]["image"][0], feed.batches([0, 2])[0]["image"][1])


def test_what_has_no_room_is_read_for_every_epoch(cases):
    feed = held(cases, 1e-6)
    list(feed.batches(ORDER))
    assert not feed._held


def test_images_are_kept_short_where_networks_make_them_short(cases):
    feed = Feed(cases, 4, torch.device("cpu"), image=torch.bfloat16)
    feed._stays = True
    kept = feed.batches(ORDER)[0]
    assert kept["image"].dtype == torch.bfloat16
    assert kept["target"].dtype == torch.from_numpy(cases[0]["target"]).dtype
    expected = torch.from_numpy(np.stack([cases[i]["image"] for i in ORDER[:4]])).to(torch.bfloat16)
    assert torch.equal(kept["image"], expected)
