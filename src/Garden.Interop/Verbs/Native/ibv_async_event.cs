using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>Something happened to a device, a port or a queue; <c>element</c> says to which.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ibv_async_event
{
    public ulong element;
    public int event_type;
}
