namespace Garden.Weights;

/// <summary>Where the bytes of a write come from.</summary>
public enum WeightStage : byte
{
    /// <summary>From where the trainer holds them.</summary>
    Direct = 0,

    /// <summary>
    /// From the sender's staging memory, where an assemble stage has packed them: in place they would be many pieces of less than
    /// <see cref="WeightOverlap.SmallRow"/> bytes, and packed they are fewer and longer.
    /// </summary>
    Packed = 1,

    /// <summary>From the sender's staging memory, where an assemble stage has converted them.</summary>
    Converted = 2,
}
