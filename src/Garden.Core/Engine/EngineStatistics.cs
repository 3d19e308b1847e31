namespace Garden;

/// <summary>What an engine has done and holds. Every "outstanding" number is zero when nothing leaks.</summary>
/// <param name="TransfersCompleted">Transfers that ended well.</param>
/// <param name="TransfersFailed">Transfers that ended badly, cancelled ones included.</param>
/// <param name="TransfersOutstanding">Transfers submitted and not yet consumed by their owners.</param>
/// <param name="TransfersActive">Transfers the workers have not ended.</param>
/// <param name="WritesLeaked">Writes that did not drain in time; their source memory stays leased.</param>
/// <param name="StaleImmediates">Immediates of a counter generation that is gone.</param>
/// <param name="CountersQuarantined">Counter slots given up without a confirmed drain.</param>
/// <param name="MessagesDropped">Messages nobody could take.</param>
/// <param name="Regions">Region rows in use, local and imported, one a peer included.</param>
public readonly record struct EngineStatistics(
    long TransfersCompleted,
    long TransfersFailed,
    long TransfersOutstanding,
    int TransfersActive,
    long WritesLeaked,
    long StaleImmediates,
    int CountersQuarantined,
    long MessagesDropped,
    int Regions);
