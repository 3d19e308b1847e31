using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>Where a completion queue tells that something has come.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_comp_channel
{
    public ibv_context* context;
    public int fd;
    public int refcnt;
}
