using Garden.Kernels.Nvlink;
using Garden.Testing;

namespace Garden.Kernels.Tests.Nvlink;

public sealed class CpuNvlinkConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new NvlinkHarness(new NvlinkOptions(), TestDevices.Cpu);
}

/// <summary>Every region is opened by its handle, as by another process.</summary>
public sealed class MappedNvlinkConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new NvlinkHarness(new NvlinkOptions { MapsOwnProcess = true }, TestDevices.Cpu);
}

public sealed class TinyQueueNvlinkConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new NvlinkHarness(new NvlinkOptions { QueueDepth = 16, CopyEngineBytes = 5000 }, TestDevices.Cpu);
}

public sealed class FourNicNvlinkConformanceTests : FabricConformance
{
    protected override int Nics => 4;

    protected override FabricHarness CreateHarness() => new NvlinkHarness(new NvlinkOptions(), TestDevices.Cpu);
}

/// <summary>One GPU with itself.</summary>
public sealed class CudaNvlinkConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new NvlinkHarness(new NvlinkOptions(), TestDevices.Cuda);
}

/// <summary>Host memory that is pinned when it is registered.</summary>
public sealed class CudaHostNvlinkConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness() => new PinnedHostHarness(TestDevices.Cuda);
}

/// <summary>Two GPUs of this process.</summary>
public sealed class CudaPairNvlinkConformanceTests : FabricConformance
{
    protected override FabricHarness CreateHarness()
    {
        (CudaDevice first, CudaDevice second) = TestDevices.CudaPair;
        return new NvlinkHarness(new NvlinkOptions(), first, second);
    }
}
