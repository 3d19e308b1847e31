namespace Garden.Experts;

/// <summary>
/// Declares, on a <c>partial struct</c>, how tokens travel to the ranks that hold their experts and back. The generator
/// implements <see cref="IExpertRouting{TSelf}"/> on it: constants of the row layout, and the sizes of
/// <see cref="ExpertBuffers"/> as functions of ranks and tokens.
/// </summary>
/// <remarks>
/// Hidden size, element types, scale block, top-k and the number of experts are fixed when the code is compiled. Ranks, ranks
/// per node, tokens and padding are given again at run time to <see cref="ExpertGroup"/>; those given here are its defaults, and
/// are checked by the compiler.
/// </remarks>
[AttributeUsage(AttributeTargets.Struct)]
public sealed class ExpertRoutingAttribute : Attribute
{
    /// <summary>
    /// A Hugging Face <c>config.json</c> among the project's additional files, by its name or the end of its path. Experts
    /// (<c>n_routed_experts</c>, <c>num_experts</c> or <c>num_local_experts</c>), top-k (<c>num_experts_per_tok</c>) and hidden
    /// size (<c>hidden_size</c>) that are not given here are taken from it.
    /// </summary>
    public string? Model { get; set; }

    /// <summary>Routed experts of one layer, over all ranks. Expert e lives on rank e / ⌈Experts / ranks⌉.</summary>
    public int Experts { get; set; }

    /// <summary>Experts each token is sent to, at most.</summary>
    public int TopK { get; set; }

    /// <summary>Elements of a token's row; a multiple of 16 bytes in both element types.</summary>
    public int HiddenSize { get; set; }

    /// <summary>Element type of dispatched rows.</summary>
    public ExpertElement Element { get; set; } = ExpertElement.BFloat16;

    /// <summary>Elements that share a single-precision scale; required for <see cref="ExpertElement.Float8E4M3"/>, and only for it. Divides <see cref="HiddenSize"/>.</summary>
    public int ScaleBlock { get; set; }

    /// <summary>Element type of the rows that come back.</summary>
    public ExpertElement CombineElement { get; set; } = ExpertElement.BFloat16;

    /// <summary>Tokens one rank sends in one round, at most. More tokens take several rounds.</summary>
    public int MaxTokens { get; set; }

    /// <summary>Ranks that share the experts; 0 leaves it to the run time.</summary>
    public int Ranks { get; set; }

    /// <summary>Ranks of one node, which reach each other without a network; 0 leaves it to the run time.</summary>
    public int RanksPerNode { get; set; }

    /// <summary>The rows of each expert are filled up to a multiple of this, as grouped matrix products want it.</summary>
    public int ExpertPadding { get; set; } = 1;

    /// <summary>Allows ranks that do not divide <see cref="Experts"/>: the last ranks then hold fewer experts, or none.</summary>
    public bool PadExperts { get; set; }

    /// <summary>
    /// Each expert's result comes back as a row of its own, and the token's rank adds them with their weights in the order of its choices: the
    /// same bits for any number of ranks, for up to TopK times the rows that come back. Otherwise each rank adds what its experts have for a token.
    /// </summary>
    public bool ExactCombine { get; set; }
}
