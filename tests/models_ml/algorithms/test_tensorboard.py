"""Curves for TensorBoard, byte by byte."""

import struct

from models_ml.algorithms import tensorboard

DETAILS = {
    "history": {
        "epochs": [
            {"number": 1, "loss": 0.5, "score": None, "seconds": 1.0},
            {"number": 300, "loss": 0.125, "score": 0.25, "seconds": 1.0},
        ]
    },
    "table": [
        {"name": "linear", "curve": []},
        {"name": "network", "curve": [{"epoch": 2, "loss": 0.75, "aside": 1.0}]},
    ],
}


def test_every_curve_of_a_version_is_a_scalar():
    assert list(tensorboard.scalars_of(DETAILS)) == [
        ("loss", 1, 0.5),
        ("loss", 300, 0.125),
        ("score", 300, 0.25),
        ("network/aside", 2, 1.0),
        ("network/loss", 2, 0.75),
    ]
    assert list(tensorboard.scalars_of({"history": None, "nodes": []})) == []


def test_the_file_is_a_row_of_checked_records(tmp_path):
    path = tensorboard.write(tmp_path / "v1", [("loss", 300, 0.5)], at=1_700_000_000.0)
    assert path.name == "events.out.tfevents.1700000000.perennial"
    raw = path.read_bytes()
    bodies = []
    while raw:
        (length,) = struct.unpack("<Q", raw[:8])
        bodies.append(raw[12 : 12 + length])
        raw = raw[16 + length :]
    time = b"\x09" + struct.pack("<d", 1_700_000_000.0)
    assert bodies == [
        time + b"\x1a\x0dbrain.Event:2",
        time + b"\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15" + struct.pack("<f", 0.5),
    ]


def test_the_checksum_is_that_of_the_standard():
    # CRC-32C of "123456789" is E3069283; masked as record files ask.
    masked = ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert tensorboard._checked(b"123456789") == struct.pack("<I", masked)
