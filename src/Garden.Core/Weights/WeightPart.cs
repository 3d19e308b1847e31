using System.Runtime.InteropServices;

namespace Garden.Weights;

/// <summary>
/// A row of a map: the elements of a rule's tensors, or the scales that a conversion adds to them. 15 words, blittable; generated
/// as constants.
/// </summary>
/// <remarks>
/// Rows of one output follow each other: the members of a fusion, or a single row. A tensor's number is
/// <c>FirstTensor + outer × Experts + expert</c>, where outer counts the combinations of the variables other than the expert.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public readonly struct WeightPart
{
    /// <summary>Words a row.</summary>
    public const int Words = 15;

    private readonly long _rule;
    private readonly long _firstTensor;
    private readonly long _outers;
    private readonly long _experts;
    private readonly long _rows;
    private readonly long _columns;
    private readonly long _depth;
    private readonly long _trainerBytes;
    private readonly long _inferenceBytes;
    private readonly long _block;
    private readonly long _trainer;
    private readonly long _inference;
    private readonly long _outputFirst;
    private readonly long _outputParts;
    private readonly long _element;

    /// <summary>The rule the row belongs to.</summary>
    public int Rule => (int)_rule;

    /// <summary>Number of the rule's first tensor.</summary>
    public int FirstTensor => (int)_firstTensor;

    /// <summary>Combinations of the variables other than the expert.</summary>
    public int Outers => (int)_outers;

    /// <summary>Experts of each; 1 without an expert variable.</summary>
    public int Experts => (int)_experts;

    /// <summary>Size along dimension 0; of the tensor also where the row is its scales.</summary>
    public long Rows => _rows;

    /// <summary>Size along dimension 1; 1 when there is none.</summary>
    public long Columns => _columns;

    /// <summary>Size along dimension 2; 1 when there is none.</summary>
    public long Depth => _depth;

    /// <summary>Bytes the trainer holds for an element of the first three dimensions; 0 for scales, which it does not have.</summary>
    public long TrainerBytes => _trainerBytes;

    /// <summary>Bytes the inference rank holds for an element of the first three dimensions, or for a scale.</summary>
    public long InferenceBytes => _inferenceBytes;

    /// <summary>Rows and columns of a conversion's block; 0 without a conversion.</summary>
    public int Block => (int)_block;

    /// <summary>True when the elements are converted on the way, so that the trainer assembles them first.</summary>
    public bool IsConverted => _block != 0;

    /// <summary>True when the row is the scales of a conversion.</summary>
    public bool IsScales => _trainerBytes == 0;

    /// <summary>Placement at the trainer.</summary>
    public WeightPlacement Trainer => new((ulong)_trainer);

    /// <summary>Placement at inference.</summary>
    public WeightPlacement Inference => new((ulong)_inference);

    /// <summary>The first row of this one's output.</summary>
    public int OutputFirst => (int)_outputFirst;

    /// <summary>Rows of this one's output: 1, or the members of the fusion.</summary>
    public int OutputParts => (int)_outputParts;

    /// <summary>The type of the trainer's elements, or of the scales.</summary>
    public WeightElement Element => (WeightElement)_element;

    /// <summary>The same row as the trainer has it: the elements are not converted.</summary>
    internal WeightPart Unconverted()
    {
        WeightPart copy = this;
        Span<long> words = MemoryMarshal.Cast<WeightPart, long>(MemoryMarshal.CreateSpan(ref copy, 1));
        (words[8], words[9]) = (_trainerBytes, 0);
        return copy;
    }

    /// <summary>The rows of a map.</summary>
    public static ReadOnlySpan<WeightPart> Of<TMap>()
        where TMap : unmanaged, IWeightShardMap<TMap> => MemoryMarshal.Cast<long, WeightPart>(TMap.PartWords);
}
