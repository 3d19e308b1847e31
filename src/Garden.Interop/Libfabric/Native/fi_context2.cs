using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Room a provider may ask for with each operation (FI_CONTEXT2; FI_CONTEXT needs half of it).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct fi_context2
{
    public ulong internal0;
    public ulong internal1;
    public ulong internal2;
    public ulong internal3;
    public ulong internal4;
    public ulong internal5;
    public ulong internal6;
    public ulong internal7;
}
