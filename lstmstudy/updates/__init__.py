"""What happens around one update of the weights: penalties, gradients, constraints, averaging."""

from lstmstudy.updates.update_hook import UpdateHook as UpdateHook
