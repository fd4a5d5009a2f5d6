"""What runs in the child process: standard library, NumPy, h5py, the framework, and Python 3.8 syntax only."""
