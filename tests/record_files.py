"""Record files such as TFDS writes them, without the builder."""

import cv2
import tensorflow as tf


def write_records(path, images, labels, first=0):
    """Writes images uint8 [N, 48, 48, 1] with labels and the ids drawn/FIRST, drawn/FIRST+1, ..."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            png = cv2.imencode(".png", image)[1].tobytes()
            features = {
                "image": _bytes(png),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                "id": _bytes(f"drawn/{first + row}".encode()),
                "subject": _bytes(f"drawn/person {(first + row) // 7}".encode()),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
