"""ONNX's vectors that no row of refconv can express: the reason, as an adapter gives it, and their names."""

SKIPPED = {
    "Keras flattens everything but the batch": (
        "flatten_axis0 flatten_axis2 flatten_axis3 flatten_negative_axis4 flatten_negative_axis2 "
        "flatten_negative_axis1 operator_view"
    ),
    "Keras has no groups in a transposed convolution": "convtranspose_group_2 convtranspose_group_2_image_3",
    "Keras has no peepholes": "lstm_with_peepholes",
    "Keras merges at least two tensors": "max_one_input mean_one_input min_one_input sum_one_input",
    "Keras pads by zeros only": (
        "constant_pad edge_pad reflect_pad wrap_pad constant_pad_axes constant_pad_negative_axes ConstantPad2d "
        "ReflectionPad2d ReplicationPad2d operator_pad"
    ),
    "Keras's hard_sigmoid has constants of its own": "hardsigmoid_example hardsigmoid",
    "Keras's selu has constants of its own": "selu_example selu",
    "every step rounded to 16 bits by NumPy, as no kernel does": "celu_float16 celu_bfloat16",
    "inference only": "batchnorm_example_training_mode batchnorm_epsilon_training_mode",
    "no row of its own: Clip": "operator_clip",
    "no row of its own: Pow": "operator_pow",
    "no row of its own: ReduceMean": "operator_reduced_mean operator_reduced_mean_keepdim",
    "no row of its own: ReduceSum": "operator_reduced_sum operator_reduced_sum_keepdim",
    "no row of its own: Reshape": "PixelShuffle operator_repeat_dim_overflow",
    "no row of its own: Slice": "operator_index",
    "no row of its own: Split": "operator_chunk",
    "no row of its own: Sqrt": "operator_sqrt",
    "no row of its own: Tile": "operator_repeat",
}
