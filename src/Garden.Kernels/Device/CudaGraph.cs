using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>An instantiated graph of the driver.</summary>
internal sealed class CudaGraph(CudaContext context, CudaHandle executable) : DeviceGraph
{
    public override void Replay(DeviceStream stream)
    {
        CudaStream on = CudaStream.Of(stream, context);
        using CudaContext.Scope scope = context.Enter();
        LibCuda.Check(LibCuda.cuGraphLaunch(executable.Value, on.Value));
    }

    protected override void Dispose(bool disposing) => executable.Dispose();
}
