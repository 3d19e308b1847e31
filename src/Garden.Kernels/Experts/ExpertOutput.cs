namespace Garden.Kernels.Experts;

/// <summary>How received rows lie for the experts.</summary>
public enum ExpertOutput
{
    /// <summary>One row for each token and source, in order of source and slot, with the ids and weights of its experts beside it. The experts' results are one row for each of them, weights applied by the caller.</summary>
    RankRows = 0,

    /// <summary>A row for each choice, packed by expert; each expert begins at a multiple of the group's padding. Rows that only fill up are not written.</summary>
    ExpertContiguous = 1,

    /// <summary>A row for each choice, at [expert][source][place]: fixed places, nothing to sum.</summary>
    ExpertSlabs = 2,
}
