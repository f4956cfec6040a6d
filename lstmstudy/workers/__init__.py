"""Where runs are trained: the cores of this machine, or a cluster."""
