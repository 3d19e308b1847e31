using System.IO.MemoryMappedFiles;

namespace Garden.Weights;

/// <summary>A safetensors file, mapped: its tensors are read straight from the page cache. Thread-safe until it is disposed.</summary>
/// <remarks>The file must not be made shorter while it is open: the operating system ends a process that reads a mapping behind its file's end.</remarks>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly long _dataLength;
    private byte* _data;

    private SafetensorsFile(string path, MemoryMappedFile map, long length)
    {
        Path = path;
        _map = map;
        _view = map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        byte* first = null;
        try
        {
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref first);
            first += _view.PointerOffset;
            // Safe: the mapping has `length` bytes; LengthFrom has checked that the header ends inside them.
            int header = SafetensorsHeader.LengthFrom(path, new ReadOnlySpan<byte>(first, (int)Math.Min(length, SafetensorsHeader.PrefixLength)), length);
            _dataLength = length - SafetensorsHeader.PrefixLength - header;
            Header = SafetensorsHeader.Parse(path, new ReadOnlySpan<byte>(first + SafetensorsHeader.PrefixLength, header), _dataLength);
            _data = first + Header.DataOffset;
        }
        catch
        {
            if (first is not null)
                _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            throw;
        }
    }

    /// <summary>Where the file is.</summary>
    public string Path { get; }

    /// <summary>What is in it.</summary>
    public SafetensorsHeader Header { get; }

    /// <summary>Opens and checks a file. Nothing of its tensors is read yet.</summary>
    /// <exception cref="SafetensorsException">The header is not valid; the message says at which tensor.</exception>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using FileStream stream = File.OpenRead(path);
        // An empty file cannot be mapped.
        if (stream.Length < SafetensorsHeader.PrefixLength)
            SafetensorsHeader.LengthFrom(path, [], stream.Length);
        long length = stream.Length;
        MemoryMappedFile map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        try
        {
            return new SafetensorsFile(path, map, length);
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    /// <summary>Some bytes of a tensor, as they lie in the mapping; valid until the file is disposed.</summary>
    /// <param name="tensor">One of <see cref="Header"/>'s tensors.</param>
    /// <param name="offset">Byte offset in the tensor.</param>
    /// <param name="length">Number of bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range lies outside the tensor, or the tensor is another file's.</exception>
    /// <exception cref="ObjectDisposedException">The file was disposed.</exception>
    public ReadOnlySpan<byte> Bytes(SafetensorsTensor tensor, long offset, int length)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ObjectDisposedException.ThrowIf(_data is null, this);
        if (offset < 0 || length < 0 || offset > tensor.Length - length)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"Bytes [{offset}, {offset} + {length}) lie outside {tensor}, which has {tensor.Length}.");
        if (tensor.Offset < 0 || tensor.Offset > _dataLength - tensor.Length)
            throw new ArgumentOutOfRangeException(nameof(tensor), tensor.Offset, $"{tensor} is not a tensor of {Path}.");
        // Safe: the range lies in the tensor and the tensor in the mapping.
        return new ReadOnlySpan<byte>(_data + tensor.Offset + offset, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_data is null)
            return;
        _data = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }
}
