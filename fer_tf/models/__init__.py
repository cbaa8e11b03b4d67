"""Networks and their layers, written with `keras.ops`.

In: hyperparameters. Out: Keras models: uint8 [B, 48, 48, 1] in, logits float32 [B, classes] out.
"""
