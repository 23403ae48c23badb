"""The systems that train.py trains beside the paper: networks, loss and step, one module each."""
