"""Set-up of the whole suite: quiet frameworks and Hypothesis profiles."""

import os
import signal

# Read by TensorFlow when it is first imported, so set before any test module is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# TensorFlow's own default depends on the processor, and convolutions of channels first run on a CPU only with it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ["TF_USE_LEGACY_KERAS"] = "1"  # tf.keras, which QKeras imports, is Keras 2; `import keras` is Keras 3 still

from hypothesis import settings  # noqa: E402

# A shell starts its background jobs with Ctrl-C ignored, and what it starts inherits that: here it is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A first example that imports or traces a framework takes seconds: a deadline would only measure that.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
