"""The experiment on LSTM regularization; ``__init__.pyi`` lists the names that a notebook needs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
