"""The figure of merit: faults planted into what the framework computes, found or not, beside other tolerances."""
