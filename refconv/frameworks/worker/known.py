"""What a configuration may name, word for word as formats/names.py has it: alone, the worker carries nothing of that.

tests/security/test_alone_refusals.py demands that both say the same.
"""

from typing import FrozenSet


def _words(text: str) -> FrozenSet[str]:
    return frozenset(text.split())


CODE = _words("ClassMethod FlaxLayer InstanceMethod JaxLayer Lambda TFSMLayer TorchModuleWrapper __lambda__")
CALLS = _words("SlicingOpLambda TFOpLambda TensorFlowOpLayer")
REGISTERED = _words("Custom>CustomScaleLayer")
MODULES = ("builtins", "keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "qkeras",
           "tensorflow_model_optimization")  # fmt: skip
OPERATIONS = ("keras.ops", "keras.src.ops", "keras_core.src.ops")
PACKAGES = ("", "keras", "keras.layers", "Keras", "tf_keras.layers", "tf_keras", "qkeras", "TensorFlow")
ACTIVATIONS = _words("""
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid
    sparsemax squareplus swish tanh tanh_shrink threshold
""")
QUANTIZERS = _words("""
    bernoulli binary binary_sigmoid binary_tanh hard_sigmoid hard_tanh quantized_bits quantized_hswish quantized_linear
    quantized_po2 quantized_relu quantized_relu_po2 quantized_sigmoid quantized_tanh quantized_ulaw smooth_sigmoid
    smooth_tanh stochastic_binary stochastic_ternary ternary
""")
FUNCTIONS_OF = ("__operators__.", "bitwise.", "image.", "linalg.", "math.", "nn.", "signal.", "keras.activations.")
FUNCTIONS = _words("""
    abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh boolean_mask broadcast_to cast
    clip_by_norm clip_by_value complex concat convert_to_tensor cos cosh cumsum divide einsum ensure_shape equal exp
    expand_dims eye fill floor gather gather_nd greater greater_equal identity less less_equal linspace logical_and
    logical_not logical_or matmul maximum minimum multiply negative norm not_equal one_hot ones ones_like pad pow range
    rank realdiv reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat
    reshape reverse reverse_sequence roll round saturate_cast scalar_mul scatter_nd sequence_mask shape sigmoid sign sin
    sinh size slice sort space_to_batch split sqrt square squeeze stack stop_gradient strided_slice subtract tan tanh
    tensor_scatter_nd_add tensor_scatter_nd_update tensordot tile transpose truediv truncatediv truncatemod unstack
    where zeros zeros_like
""")
NODES = _words("""
    Abs Acos Add AddN AddV2 All Any ArgMax ArgMin Asin Atan Atan2 AvgPool BatchMatMul BatchMatMulV2 BiasAdd BroadcastTo
    Cast Ceil ClipByValue Concat ConcatV2 Const Conv2D Cos Cosh Cumprod Cumsum DepthToSpace DepthwiseConv2dNative Div
    DivNoNan Einsum Elu Equal Erf Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod GatherNd GatherV2 Greater
    GreaterEqual Identity IdentityN L2Loss LeakyRelu Less LessEqual Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr
    MatMul Max MaxPool Maximum Mean Min Minimum MirrorPad Mod Mul MulNoNan Neg NotEqual OneHot OnesLike Pack Pad PadV2
    Pow Prod Range Rank RealDiv Reciprocal Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 Round Rsqrt
    Select SelectV2 Selu Shape Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split SplitV Sqrt
    Square SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Tan Tanh Tile TopKV2 Transpose Unpack Where
    ZerosLike
""")
