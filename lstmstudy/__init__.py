"""The experiment on LSTM regularization. Here are the names that a notebook needs, beginning with `open_study`.

What serves beyond a study: `lstmstudy.layers`, Keras layers for anybody's own model, and `lstmstudy.updates`, what
happens around one update of the weights. What a study is made of: `lstmstudy.techniques`, `lstmstudy.recipe` and
`lstmstudy.data`. What a cell works with: `lstmstudy.study.study`, `lstmstudy.study.ablation` and `lstmstudy.figures`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
