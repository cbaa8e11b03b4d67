from collections.abc import Iterable
from pathlib import Path

from fer_tf.faces.face import read_picture
from fer_tf.faces.pictures import Picture
from fer_tf.inference.predict import TENSORFLOW, ExpressionModel
from fer_tf.inference.prediction import Prediction


def predict(photos: Iterable[Path], version: Path) -> list[Prediction]:
    """One prediction for each face, photo by photo, the largest face first."""
    pictures = (Picture(str(photo), read_picture(photo)) for photo in photos)
    answered = ExpressionModel(version, TENSORFLOW).predict(pictures)
    return [prediction for _, predictions in answered for prediction in predictions]
