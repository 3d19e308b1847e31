using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A protection domain: what its queue pairs, memory and address handles belong to.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ibv_pd
{
    public ibv_context* context;
    public uint handle;
}
