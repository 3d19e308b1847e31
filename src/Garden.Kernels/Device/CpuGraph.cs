namespace Garden.Kernels;

/// <summary>A recording of the CPU accelerator.</summary>
internal sealed class CpuGraph(CpuDevice device, List<Action> recording) : DeviceGraph
{
    public override void Replay(DeviceStream stream)
    {
        CpuStream on = CpuStream.Of(stream, device);
        foreach (Action work in recording)
            on.Run(work);
    }

    protected override void Dispose(bool disposing)
    {
    }
}
