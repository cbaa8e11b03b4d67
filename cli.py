"""The command line of a clone: `python cli.py --help`."""

from fer_tf.cli import app, main

__all__ = ["app", "main"]

if __name__ == "__main__":
    main()
