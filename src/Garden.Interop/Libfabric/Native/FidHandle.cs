using System.Runtime.InteropServices;

namespace Garden.Interop.Libfabric.Native;

/// <summary>Owns a libfabric object and keeps the object it was opened from alive.</summary>
internal sealed unsafe class FidHandle : SafeHandle
{
    private readonly FidHandle? _parent;

    public FidHandle(fid* fid, FidHandle? parent)
        : base(0, ownsHandle: true)
    {
        SetHandle((nint)fid);
        bool added = false;
        parent?.DangerousAddRef(ref added);
        _parent = parent;
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        // Safe: the handle was set once, by the call that opened the object, and is closed once.
        int code = Calls.fi_close((fid*)handle);
        _parent?.DangerousRelease();
        return code == 0;
    }
}
