using Garden.Fabric.Simulation;

namespace Garden.Perf.Weights;

/// <summary>What the stages of an update cost a trainer rank, and where each figure comes from.</summary>
internal static class SimulateCosts
{
    // Published for TransferEngine's update of Kimi-K2, 256 trainer to 128 inference GPUs: the breakdown of 1.23 s (1.3 s at most) on a
    // trainer rank. Its last row, 357 ms of waiting for other ranks, is not used: it must come out.
    public const double HostToDeviceSeconds = 0.184;
    public const double GatherSeconds = 0.518;
    public const double FuseSeconds = 0.018;
    public const double QuantiseSeconds = 0.088;
    public const double SubmitSeconds = 0.026;
    public const double PublishedSeconds = 1.23;
    public const double PublishedWaitSeconds = 0.357;

    // Measured on an H200 machine for this project: peer memcpy over NVLink.
    public const double NvLinkBytesPerSecond = 395e9;

    // The defaults say where they come from. Quanta of 1 MiB and windows of 4 instead of 256 KiB and 1 MiB: a quarter of the events, and small
    // still against the 10 to 22 GB a NIC carries.
    public static SimulatedNicOptions Nic { get; } = new() { QuantumBytes = 1 << 20, WindowBytes = 4 << 20 };

    // Inferred: what is published names two mesh groups, the experts flat across nodes and the rest flat inside a node, and no sizes. Experts
    // dealt over 64 ranks, each flat over 4 nodes, make a rank gather 23.8 GB over its NIC and 20 GB over NVLink: 0.55 s at the rates
    // here, near the published 0.518.
    public const int Groups = 8, Shards = 4, Gpus = 8;

    // Assumed: experts over all 128 inference GPUs, everything else a copy on each of them, so that writing the first group is bound by
    // the NICs, as the authors say it is.
    public const int InferenceRanks = 128;

    // Fitted, the only number that is: one rank copies from host memory so many times slower. The authors see all ranks wait at the last
    // barrier and suspect an especially slow one; without it the parts give 1.00 s. 2.5 is a PCIe 5 link that has come up as PCIe 4.
    public const double Straggler = 2.5;
    public const int StragglerRank = 77;

    // Assumed: a barrier of 256 processes over Ethernet, eight rounds of some hundred microseconds.
    public const double BarrierSeconds = 0.002;

    // Assumed: memory for gathered tensors that are not yet sent.
    public const long WatermarkBytes = 16L << 30;
}
