"""TensorFlow and Keras read these when they are imported; cli.py sets the same."""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}
