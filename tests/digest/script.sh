# Run natively and in the browser; both end with the same digest of the store's whole history.
cat > app.yml <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: app-node
  labels:
    app: node
spec:
  containers:
  - name: node
    image: kim0lil/80700:v-1.0.0
    ports:
    - containerPort: 8080
---
apiVersion: v1
kind: Service
metadata:
  name: app-service
spec:
  selector:
    app: node
  ports:
  - port: 80
    targetPort: 8080
YAML
cat > rs.yml <<'YAML'
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: app-rs
spec:
  replicas: 3
  selector:
    matchLabels:
      app: node
  template:
    metadata:
      labels:
        app: node
    spec:
      containers:
      - name: node
        image: kim0lil/80700:v-1.0.0
YAML
kubectl create -f app.yml
sleep 30
kubectl run tmp --image=curlimages/curl --restart=Never --rm -it -- curl -s http://app-service
kubectl create -f rs.yml
sleep 30
kubectl delete pod app-node
kubectl get pods
kubectl delete pod,svc,rs --all
