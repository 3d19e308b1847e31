namespace WeightSync;

/// <summary>A temporary directory that goes with the process; it is made when something is put into it.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    private string? _path;

    public string PathOf(string name) => Path.Combine(_path ??= Directory.CreateTempSubdirectory("weight-sync-").FullName, name);

    public void Dispose()
    {
        if (_path is not null)
            Directory.Delete(_path, recursive: true);
    }
}
