using System.Runtime.InteropServices;

namespace Garden.Interop.Verbs.Native;

/// <summary>Owns a verbs object and keeps the object it was made from alive.</summary>
internal sealed unsafe class VerbsHandle : SafeHandle
{
    private readonly VerbsHandle? _parent;
    private readonly delegate*<void*, int> _release;

    public VerbsHandle(void* value, delegate*<void*, int> release, VerbsHandle? parent)
        : base(0, ownsHandle: true)
    {
        SetHandle((nint)value);
        _release = release;
        bool added = false;
        parent?.DangerousAddRef(ref added);
        _parent = parent;
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        // Safe: the handle was set once, by the call that made the object, and is released once.
        int code = _release((void*)handle);
        _parent?.DangerousRelease();
        return code == 0;
    }
}
