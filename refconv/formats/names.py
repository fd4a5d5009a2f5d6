"""Every name that a model file may use: what is not here does not reach a framework unless the user trusts its code.

Plain words, so that a file can be refused before anything large is imported; tests/formats/test_objects.py demands that
they are those of the tables of layers, operators and quantizers.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LAYERS = _words("""
    AbstractRNNCell Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention
    AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D
    BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
    ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CustomScaleLayer CutMix Dense DenseFeatures
    DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten
    GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention HashedCrossing
    Hashing Identity InputLayer InputSpec IntegerLookup LSTM LSTMCell Layer LayerNormalization
    LayerScale LeakyReLU LocallyConnected1D LocallyConnected2D Masking MaxNumBoundingBoxes MaxPooling1D MaxPooling2D
    MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline
    QActivation QAdaptiveActivation QAveragePooling2D QBatchNormalization QBidirectional QConv1D QConv2D
    QConv2DBatchnorm QConv2DTranspose QDense QDenseBatchnorm QDepthwiseConv2D QDepthwiseConv2DBatchnorm QGRU QGRUCell
    QGlobalAveragePooling2D QInitializer QLSTM QLSTMCell QMobileNetSeparableConv2D QOctaveConv2D QSeparableConv1D
    QSeparableConv2D QSimpleRNN QSimpleRNNCell RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
    RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation
    RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling
    Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax
    Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D StackedRNNCells StochasticDepth StringLookup
    Subtract TextVectorization TimeDistributed UnitNormalization UpSampling1D UpSampling2D
    UpSampling3D Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D
    PruneLowMagnitude SpectralNormalization
""")
# What older files call some of them, and layers that Keras has no more.
OLDER = _words("""
    AvgPool1D AvgPool2D AvgPool3D BatchNormalizationV1 BatchNormalizationV2 Convolution1D Convolution1DTranspose
    Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose CuDNNGRU CuDNNLSTM GlobalAvgPool1D
    GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GroupedQueryAttention MaxPool1D
    MaxPool2D MaxPool3D Merge RandomFourierFeatures SeparableConvolution1D SeparableConvolution2D
    SyncBatchNormalization ThresholdedReLU
""")
# Layers that are a program or name one: a Lambda's code, another library's module, another file.
CODE = _words("ClassMethod FlaxLayer InstanceMethod JaxLayer Lambda TFSMLayer TorchModuleWrapper __lambda__")
# Calls of TensorFlow that Keras 2 writes as layers, and what else it writes and exports nowhere.
CALLS = _words("SlicingOpLambda TFOpLambda TensorFlowOpLayer")
INTERNAL = _words("AddLoss AddMetric InstanceProperty") | CALLS
MODELS = _words("Functional Model Sequential")
# Not Keras's own: their layers come with QKeras, whose loader finds them.
PRUNING = _words("ConstantSparsity PolynomialDecay")
CLIP = _words("Clip")  # QKeras's constraint

INITIALIZERS = _words("""
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer TruncatedNormal VarianceScaling
    Zeros
""")
REGULARIZERS = _words("L1 L1L2 L2 OrthogonalRegularizer")
CONSTRAINTS = _words("MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm")
POLICIES = _words("""
    AWQDTypePolicy AutoCastVariable DTypePolicy DTypePolicyMap FloatDTypePolicy GPTQDTypePolicy Int4DTypePolicy Policy
    PolicyV1 QuantizedDTypePolicy QuantizedFloat8DTypePolicy
""")
QUANTIZATION = _words("""
    AWQConfig AbsMaxQuantizer Float8QuantizationConfig GPTQConfig Int4QuantizationConfig Int8QuantizationConfig
    QuantizationConfig
""")
# What compile() was given for a model inside a model: built with it, never called.
COMPILED = _words("""
    AUC Accuracy Adadelta Adafactor Adagrad Adam AdamW Adamax BinaryAccuracy BinaryCrossentropy BinaryFocalCrossentropy
    BinaryIoU CTC CategoricalAccuracy CategoricalCrossentropy CategoricalFocalCrossentropy
    CategoricalGeneralizedCrossEntropy CategoricalHinge Circle ConcordanceCorrelation CosineSimilarity Dice F1Score
    FBetaScore FalseNegatives FalsePositives Ftrl Hinge Huber IoU KLDivergence Lamb Lion LogCosh LogCoshError
    LossScaleOptimizer Mean MeanAbsoluteError MeanAbsolutePercentageError MeanIoU MeanMetricWrapper MeanRelativeError
    MeanSquaredError MeanSquaredLogarithmicError Muon Nadam OneHotIoU OneHotMeanIoU PearsonCorrelation Poisson Precision
    PrecisionAtRecall R2Score RMSprop Recall RecallAtPrecision RootMeanSquaredError SGD ScheduleFreeAdamW
    SensitivityAtSpecificity SparseCategoricalAccuracy SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy
    SpecificityAtSensitivity SquaredHinge Sum TopKCategoricalAccuracy TrueNegatives TruePositives Tversky
    CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay
    binary_accuracy binary_crossentropy binary_focal_crossentropy categorical_accuracy categorical_crossentropy
    categorical_focal_crossentropy categorical_hinge cosine_similarity hinge huber kl_divergence log_cosh
    mean_absolute_error mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error poisson
    sparse_categorical_accuracy sparse_categorical_crossentropy sparse_top_k_categorical_accuracy squared_hinge
    top_k_categorical_accuracy
""")
# Values that JSON has no word for.
VALUES = _words("""
    CompositeTensor TensorShape TypeSpec __bytes__ __complex__ __ellipsis__ __keras_tensor__ __numpy__ __slice__
    __tensor__ __tuple__
""")

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

OBJECTS = frozenset().union(
    LAYERS, OLDER, INTERNAL, MODELS, PRUNING, CLIP, INITIALIZERS, REGULARIZERS, CONSTRAINTS, POLICIES, QUANTIZATION,
    COMPILED, VALUES, QUANTIZERS, ACTIVATIONS,
)  # fmt: skip

# Where Keras imports them from. A module beneath these is one of them too; everything else is somebody else's.
MODULES = ("builtins", "keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "qkeras",
           "tensorflow_model_optimization")  # fmt: skip
OPERATIONS = ("keras.ops", "keras.src.ops", "keras_core.src.ops")  # functions of tensors, and nothing else
PACKAGES = ("", "keras", "keras.layers", "Keras", "tf_keras.layers", "tf_keras", "qkeras", "TensorFlow")
REGISTERED = _words("Custom>CustomScaleLayer")  # InceptionResNetV2's, by Keras 2 itself, as users do theirs

# What a TFOpLambda may call: parts of TensorFlow's API that compute, and neither read, write, load nor configure.
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
# And what a TensorFlowOpLayer may be.
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
DTYPES = _words("""
    bool int4 int8 int16 int32 int64 uint4 uint8 uint16 uint32 uint64 float8_e4m3fn float8_e5m2 bfloat16 float16 float32
    float64 complex64 complex128 string
""")
