using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>A range of registered local memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_sge
{
    public ulong addr;
    public uint length;
    public uint lkey;
}
