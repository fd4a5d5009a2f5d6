"""A limit on this process's memory, set before anything of a model file is seen, and never lifted."""


def limit(memory: int) -> None:
    """No more than `memory` bytes of what this process writes to; 0 sets no limit, and so does a system without one.

    Not the address space: a framework reserves many times what it uses.
    """
    if not memory:
        return
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what then dies leaves no image of itself
