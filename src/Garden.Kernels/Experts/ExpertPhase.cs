namespace Garden.Kernels.Experts;

/// <summary>What a rank waits for.</summary>
public enum ExpertPhase
{
    /// <summary>That a rank has taken earlier rows, so that its slot may be written again.</summary>
    DispatchSend,

    /// <summary>The rows of a rank.</summary>
    DispatchReceive,

    /// <summary>That a rank has taken earlier results, so that their staging may be written again.</summary>
    CombineSend,

    /// <summary>The results of a rank.</summary>
    CombineReceive,
}
