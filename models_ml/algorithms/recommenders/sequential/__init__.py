"""Engines that read what a person did in order and say what comes next.

histories: events → flat sequences → histories.npz · batches: which of them are learned from
together · network: the transformer · losses: how wrong it was · loop: the training, with
checkpoints, early stop and less memory when memory runs out · checkpoints: a training on disk ·
engine: the verbs · sasrec, bert4rec: the two kinds · served: the same answers by onnxruntime.
"""
