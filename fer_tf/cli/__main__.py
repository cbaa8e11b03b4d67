"""Runs the command line by `python -m fer_tf.cli`."""

from fer_tf.cli import main

main()
