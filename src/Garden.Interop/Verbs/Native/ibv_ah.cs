using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>An address handle: the way to a remote port.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_ah
{
    public ibv_context* context;
    public ibv_pd* pd;
    public uint handle;
}
